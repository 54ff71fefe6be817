//! What an operation is, and the macro that declares one.

use http::Method;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Data, ErrorCode, Scope, Validate};

/// One operation: everything that both sides must agree on.
pub trait Endpoint: Copy + Send + Sync + 'static {
    /// The operation's name, for logs and tables.
    const NAME: &'static str;
    /// The HTTP method.
    const METHOD: Method;
    /// The path below [`Access::base_path`], with `{name}` for each field of [`Endpoint::Path`].
    const PATH: &'static str;
    /// Who may call it, and with which kind of key.
    const ACCESS: Access;
    /// How the answer is wrapped.
    const ENVELOPE: Envelope;
    /// Whether it may be sent a second time.
    const IDEMPOTENCY: Idempotency;
    /// What a key must be good for; `None` when no key is asked for.
    const SCOPE: Option<Scope>;
    /// The status of a successful answer: 200, or 201 where something is made.
    const STATUS: u16;
    /// Why it may be refused, beside the reasons that every operation has.
    const FAILS: &'static [ErrorCode];
    /// What it does, in Markdown.
    const DESCRIPTION: &'static str;
    /// Values for the placeholders of the path.
    type Path: Serialize + DeserializeOwned + Validate + Described + Send + Sync + 'static;
    /// The query string. A parameter that it does not name is refused.
    type Query: Serialize + DeserializeOwned + Validate + Described + Send + Sync + 'static;
    /// The JSON body. Fields that it does not name are ignored.
    type Body: Serialize + DeserializeOwned + Validate + Described + Send + Sync + 'static;
    /// What a successful answer holds, without its envelope.
    type Response: Serialize + DeserializeOwned + Described + Send + Sync + 'static;
}

/// A type of the contract. With the feature `openapi` it can say what it looks like as a JSON Schema.
#[cfg(feature = "openapi")]
pub trait Described: schemars::JsonSchema {}

#[cfg(feature = "openapi")]
impl<T: schemars::JsonSchema> Described for T {}

/// A type of the contract. With the feature `openapi` it can say what it looks like as a JSON Schema.
#[cfg(not(feature = "openapi"))]
pub trait Described {}

#[cfg(not(feature = "openapi"))]
impl<T> Described for T {}

/// Who may call an operation. Each kind of caller has a base path of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody; no key is asked for.
    Public,
    /// An agent, with its key (`opk_…`).
    Agent,
    /// A person who owns projects, with an owner token (`opo_…`).
    Owner,
}

impl Access {
    /// The path that stands before [`Endpoint::PATH`].
    pub const fn base_path(self) -> &'static str {
        match self {
            Access::Public | Access::Agent => "/api/agent/v1",
            Access::Owner => "/api/owner/v1",
        }
    }
}

/// How an answer is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// `{"data": …}`.
    Data,
    /// `{"data": […], "next_cursor": …}`; the response type is a [`super::Page`].
    Page,
    /// The value itself.
    Bare,
}

/// Whether a call whose fate is unknown may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotency {
    /// It only reads.
    Safe,
    /// Twice has the effect of once.
    Idempotent,
    /// Twice would do it twice, unless both carry the same `Idempotency-Key` and the server honours it.
    Keyed,
}

/// Stands where an operation has no path values, no query or no body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Nothing {}

impl Validate for Nothing {}

/// An operation as a row of a table.
#[derive(Debug, Clone)]
pub struct Operation {
    /// [`Endpoint::NAME`].
    pub name: &'static str,
    /// [`Endpoint::METHOD`].
    pub method: Method,
    /// [`Endpoint::PATH`].
    pub path: &'static str,
    /// [`Endpoint::ACCESS`].
    pub access: Access,
    /// [`Endpoint::ENVELOPE`].
    pub envelope: Envelope,
    /// [`Endpoint::IDEMPOTENCY`].
    pub idempotency: Idempotency,
    /// [`Endpoint::SCOPE`].
    pub scope: Option<Scope>,
    /// [`Endpoint::STATUS`].
    pub status: u16,
    /// [`Endpoint::FAILS`].
    pub fails: &'static [ErrorCode],
    /// [`Endpoint::DESCRIPTION`].
    pub description: &'static str,
    /// Whether these bytes are the body of a successful answer, in the words of the API reference.
    pub reads: fn(&[u8]) -> Result<(), serde_json::Error>,
    /// What its parts look like.
    #[cfg(feature = "openapi")]
    pub shapes: fn(&mut super::Shapes) -> super::OperationShapes,
}

impl Operation {
    /// The row of one operation.
    pub const fn of<E: Endpoint>() -> Self {
        Self {
            name: E::NAME,
            method: E::METHOD,
            path: E::PATH,
            access: E::ACCESS,
            envelope: E::ENVELOPE,
            idempotency: E::IDEMPOTENCY,
            scope: E::SCOPE,
            status: E::STATUS,
            fails: E::FAILS,
            description: E::DESCRIPTION,
            reads: reads::<E>,
            #[cfg(feature = "openapi")]
            shapes: super::Shapes::operation::<E>,
        }
    }
}

fn reads<E: Endpoint>(body: &[u8]) -> Result<(), serde_json::Error> {
    match E::ENVELOPE {
        Envelope::Data => serde_json::from_slice::<Data<E::Response>>(body).map(drop),
        Envelope::Page | Envelope::Bare => serde_json::from_slice::<E::Response>(body).map(drop),
    }
}

/// Declares an operation: `Name: METHOD "/path", Access, Envelope, Idempotency, scope: S, fails: [Code], path: P,
/// query: Q, body: B => 201 Response`. What is left out is `Nothing`, the scope `Read`, and the status 200.
macro_rules! endpoint {
    ($(#[doc = $doc:literal])* $name:ident: $method:ident $path:literal, $access:ident, $envelope:ident, $idempotency:ident
     $(, scope: $s:ident)? $(, fails: [$($code:ident),*])? $(, path: $p:ty)? $(, query: $q:ty)? $(, body: $b:ty)?
     => $($status:literal)? $r:ty) => {
        #[doc = concat!("`", stringify!($method), " ", $path, "`")]
        #[doc = ""]
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl $crate::api::Endpoint for $name {
            const NAME: &'static str = stringify!($name);
            const METHOD: http::Method = http::Method::$method;
            const PATH: &'static str = $path;
            const ACCESS: $crate::api::Access = $crate::api::Access::$access;
            const ENVELOPE: $crate::api::Envelope = $crate::api::Envelope::$envelope;
            const IDEMPOTENCY: $crate::api::Idempotency = $crate::api::Idempotency::$idempotency;
            const SCOPE: Option<$crate::api::Scope> = $crate::api::endpoint::endpoint!(@scope $access $($s)?);
            const STATUS: u16 = $crate::api::endpoint::endpoint!(@status $($status)?);
            const FAILS: &'static [$crate::api::ErrorCode] = &[$($($crate::api::ErrorCode::$code),*)?];
            const DESCRIPTION: &'static str = concat!($($doc, "\n"),*).trim_ascii();
            type Path = $crate::api::endpoint::endpoint!(@or $($p)?);
            type Query = $crate::api::endpoint::endpoint!(@or $($q)?);
            type Body = $crate::api::endpoint::endpoint!(@or $($b)?);
            type Response = $r;
        }
    };
    (@scope Public) => { None };
    (@scope $access:ident) => { Some($crate::api::Scope::Read) };
    (@scope $access:ident $s:ident) => { Some($crate::api::Scope::$s) };
    (@status) => { 200 };
    (@status $status:literal) => { $status };
    (@or) => { $crate::api::Nothing };
    (@or $t:ty) => { $t };
}

pub(crate) use endpoint;
