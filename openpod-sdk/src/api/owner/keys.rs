//! GET /keys, POST /keys, POST /keys/{key_id}/rotate, DELETE /keys/{key_id}, for owners

use crate::api::Page;
use crate::api::endpoint::endpoint;
use crate::api::keys::{CreatedKey, Key, KeyFilter, KeyPath, KeyRotation, NewKey};

endpoint! {
    /// The owner's tokens, newest first, as [`crate::api::keys::ListKeys`] shows an agent's keys.
    ListOwnerKeys: GET "/keys", Owner, Page, Safe, scope: Keys, query: KeyFilter => Page<Key>
}

endpoint! {
    /// Makes a further token, as [`crate::api::keys::CreateKey`] does for an agent.
    CreateOwnerKey: POST "/keys", Owner, Data, Keyed, scope: Keys, fails: [Conflict],
        body: NewKey => 201 CreatedKey
}

endpoint! {
    /// Replaces one of the owner's tokens, as [`crate::api::keys::RotateKey`] does for an agent.
    RotateOwnerKey: POST "/keys/{key_id}/rotate", Owner, Data, Keyed, scope: Keys, fails: [NotFound, Conflict],
        path: KeyPath, body: KeyRotation => 201 CreatedKey
}

endpoint! {
    /// Takes one of the owner's tokens out of use, as [`crate::api::keys::RevokeKey`] does for an agent.
    RevokeOwnerKey: DELETE "/keys/{key_id}", Owner, Data, Idempotent, scope: Keys, fails: [NotFound],
        path: KeyPath => Key
}
