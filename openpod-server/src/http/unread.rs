//! What a handler does not read of a body is read and thrown away beside the answer: who is still sending when the
//! connection closes never sees why, and takes a refusal for a failure of the network.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Error;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

/// How much is thrown away at most, and how long that may take; then the connection closes after all.
const MOST: usize = 16 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// The same body, of which nothing is left behind.
pub(super) fn taken_in(body: Body) -> Body {
    if body.is_end_stream() { body } else { Body::new(Unread(body)) }
}

/// A body that may have to be thrown away.
struct Unread(Body);

impl HttpBody for Unread {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        if self.0.is_end_stream() {
            return;
        }
        let mut body = std::mem::take(&mut self.0);
        tokio::spawn(tokio::time::timeout(PATIENCE, async move {
            let mut discarded = 0;
            while discarded <= MOST
                && let Some(Ok(frame)) = body.frame().await
            {
                discarded += frame.data_ref().map_or(0, Bytes::len);
            }
        }));
    }
}
