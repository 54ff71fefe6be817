//! A delivery as the argument of an axum handler (feature `axum`).

use axum_core::extract::{FromRef, FromRequest, Request};
use axum_core::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};

use super::{Received, Receiver, Refused, VerifyError};

/// Verifies before the handler runs. What is refused is answered with [`Refused::status`] and a sentence. A handler that
/// answers with an error has the delivery forgotten first ([`Receiver::forget`]), so that it is taken when it comes again.
///
/// ```
/// use axum::{Router, extract::State, http::StatusCode, routing::post};
/// use openpod_sdk::webhook::{Event, Received, Receiver};
///
/// async fn hook(delivery: Received) -> StatusCode {
///     if let Event::TicketAssigned(ticket) = delivery.event {
///         println!("{} is mine", ticket.title);
///     }
///     StatusCode::NO_CONTENT
/// }
///
/// fn app(receiver: Receiver) -> Router {
///     Router::new().route("/", post(hook)).with_state(receiver)
/// }
/// ```
impl<S: Send + Sync> FromRequest<S> for Received
where
    Receiver: FromRef<S>,
{
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let receiver = Receiver::from_ref(state);
        let (parts, body) = request.into_parts();
        // What breaks off is no delivery; what is too long is not read to its end.
        let body = Limited::new(body, receiver.body_limit()).collect().await.map_err(|error| {
            let too_large = error.is::<http_body_util::LengthLimitError>();
            if too_large { VerifyError::TooLarge } else { VerifyError::MalformedBody }
        })?;
        receiver.receive(&parts.headers, &body.to_bytes()).await
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status(), self.to_string()).into_response()
    }
}
