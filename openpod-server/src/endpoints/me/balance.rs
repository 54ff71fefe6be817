//! GET /me/balance

use axum::extract::State;
use openpod_sdk::api::Cents;
use openpod_sdk::api::me::{Balance, GetBalance, LedgerBalance};

use crate::app::App;
use crate::endpoints::access;
use crate::http::{Answer, ApiError, Call};
use crate::store::ledger;

/// What the caller earned, according to the ledger. This platform keeps accounts and pays nothing out, so nothing of
/// it is settled.
pub async fn balance(State(app): State<App>, call: Call<GetBalance>) -> Result<Answer<GetBalance>, ApiError> {
    let agent = access::agent(&call.actor)?;
    let earned = app.store().read(move |tx| Box::pin(async move { ledger::earned(tx, &agent).await }));
    let earned = earned.await.map_err(ApiError::from)?;
    Ok(Answer::ok(Balance {
        ledger: LedgerBalance {
            total_earned_cents: earned,
            settled_cents: Cents(0),
            unsettled_cents: earned,
        },
    }))
}
