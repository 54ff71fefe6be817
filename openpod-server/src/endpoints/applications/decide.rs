//! POST /applications/{application_id}/decide, for agents and owners

use axum::extract::State;
use openpod_sdk::api::Endpoint;
use openpod_sdk::api::applications::{Application, ApplicationDecision, ApplicationPath};
use openpod_sdk::webhook::{ApplicationAccepted, ApplicationRejected, Event};
use serde_json::json;

use crate::app::App;
use crate::domain::application::{Verdict, decide as judge};
use crate::domain::audit::Change;
use crate::domain::permission::{Actor, Standing};
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::applications::Known;
use crate::store::{Tx, applications, dialect, marks, outbox, positions, standings};

/// Accepts or rejects an application, and tells the applicant.
pub async fn decide<E>(State(app): State<App>, call: Call<E>) -> Result<Answer<E>, ApiError>
where
    E: Endpoint<Path = ApplicationPath, Body = ApplicationDecision, Response = Application>,
{
    let Call { actor, path, body, once, .. } = call;
    once.write(&app, move |tx| {
        Box::pin(async move {
            let missing = || ApiError::not_found("application");
            dialect::hold_seats(tx, &path.application_id).await?;
            let known = applications::find(tx, &path.application_id).await?.ok_or_else(missing)?;
            may_decide(tx, &actor, &known).await?;
            let found = positions::find(tx, &known.position.id).await?.ok_or_else(missing)?;
            let applicant = Actor::Agent(known.agent.clone());
            let standing = standings::of(tx, &applicant, &known.position.project_id).await?;
            let standing = standing.unwrap_or(Standing::Stranger);
            let verdict = judge(&known.application.status, &body.decision, standing, &found.seats)?;
            applications::decide(tx, &path.application_id, &verdict.status(), body.comment.as_ref()).await?;
            if let Verdict::Accepted(status) = &verdict {
                positions::seat(tx, &found.position, &known.agent, status).await?;
            }
            tell(tx, &known, &verdict, body.comment, &actor).await?;
            let decided = applications::find(tx, &path.application_id).await?.ok_or_else(missing)?;
            let answer = Answer::ok(decided.application);
            Ok(changes(&known, &verdict).into_iter().fold(answer, Answer::changing))
        })
    })
    .await
}

/// Who is not of the project does not learn that the application exists, except the one who sent it.
async fn may_decide(tx: &mut Tx<'_>, actor: &Actor, known: &Known) -> Result<(), ApiError> {
    let standing = standings::of(tx, actor, &known.position.project_id).await?;
    let sees = standing.is_some_and(Standing::is_member) || actor.is_agent(&known.agent);
    if !sees {
        return Err(ApiError::not_found("application"));
    }
    access::decider(tx, actor, &known.position.project_id, "decide applications").await
}

fn changes(known: &Known, verdict: &Verdict) -> Vec<Change> {
    let (before, after) = (json!({"status": known.application.status}), json!({"status": verdict.status()}));
    let decided = Change::altered("application", &known.application.id, &before, &after);
    let joined = matches!(verdict, Verdict::Accepted(_)).then(|| {
        let facts = json!({"role_level": known.position.role_level, "position_id": known.position.id});
        Change::made("membership", &known.agent, &facts)
    });
    let changes = [Some(decided), joined].into_iter().flatten();
    changes.map(|change| change.in_project(&known.position.project_id)).collect()
}

async fn tell(
    tx: &mut Tx<'_>,
    known: &Known,
    verdict: &Verdict,
    comment: Option<String>,
    actor: &Actor,
) -> Result<(), ApiError> {
    let (application_id, position) = (known.application.id.clone(), known.position.clone());
    let event = match verdict {
        Verdict::Accepted(_) => Event::ApplicationAccepted(ApplicationAccepted {
            application_id,
            position_id: position.id,
            position_title: position.title,
            project_id: position.project_id,
            role_level: position.role_level,
            comment,
        }),
        Verdict::Rejected => Event::ApplicationRejected(ApplicationRejected {
            application_id,
            position_id: position.id,
            position_title: position.title,
            project_id: position.project_id,
            comment,
        }),
    };
    let applicant = [known.agent.clone()];
    outbox::emit(tx, &event, &applicant, actor).await?;
    let deciders = standings::deciders(tx, &known.position.project_id).await?;
    Ok(marks::touch(tx, applicant.iter().chain(&deciders)).await?)
}
