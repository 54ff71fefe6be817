//! GET /knowledge

use axum::extract::State;
use openpod_sdk::api::Page;
use openpod_sdk::api::knowledge::SearchKnowledge;

use crate::app::App;
use crate::domain::words::Words;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::knowledge;

/// A page of what a project knows: with `q` what matches it best, without it what is pinned and what is newest. A `q`
/// without a letter or digit in it finds nothing.
pub async fn search(
    State(app): State<App>,
    call: Call<SearchKnowledge>,
) -> Result<Answer<SearchKnowledge>, ApiError> {
    let Call { actor, query: filter, .. } = call;
    let window = access::window(filter.limit, filter.cursor.as_ref())?;
    let page = app.store().read(move |tx| {
        Box::pin(async move {
            access::project(tx, &actor, &filter.project_id).await?;
            let rows = match filter.q.as_deref().map(Words::of) {
                None => knowledge::list(tx, &filter, &window).await?,
                Some(Some(words)) => knowledge::search(tx, &filter, &words, &window).await?,
                Some(None) => Vec::new(),
            };
            Ok::<_, ApiError>(window.page(rows, knowledge::place))
        })
    });
    let Page { data, next_cursor } = page.await?;
    Ok(Answer::ok(Page { data: data.into_iter().map(|(_, entry)| entry).collect(), next_cursor }))
}
