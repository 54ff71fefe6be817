//! Pages for people.
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode};

use crate::forge::Forge;

pub(crate) async fn handle(_forge: Forge, _request: Request) -> Response<Body> {
    let mut r = Response::new(Body::empty());
    *r.status_mut() = StatusCode::NOT_FOUND;
    r
}
