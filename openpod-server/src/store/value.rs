//! What goes into the database and comes out: five kinds of values, and how the contract's types become one.

use std::error::Error;

use bytes::BytesMut;
use openpod_sdk::api::*;
use rusqlite::types::ValueRef;
use tokio_postgres::types::{IsNull, Type, to_sql_checked};

use super::StoreError;

/// A value as every engine can store it. Booleans are 0 and 1, times are microseconds, money is cents.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Value {
    /// The text, if it is one.
    pub(super) fn into_text(self) -> Option<String> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }
}

/// Becomes a value.
pub trait ToValue {
    /// The value to store.
    fn to_value(&self) -> Value;
}

/// Is read from a value. `None` when the value is not one of these.
pub trait FromValue: Sized {
    /// The thing that was stored.
    fn from_value(value: Value) -> Option<Self>;
}

/// A row of an answer.
#[derive(Debug)]
pub enum Row<'r> {
    /// From SQLite.
    Sqlite(&'r rusqlite::Row<'r>),
    /// From PostgreSQL.
    Postgres(&'r tokio_postgres::Row),
}

impl Row<'_> {
    /// The column of this name.
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T, StoreError> {
        let value = match self {
            Row::Sqlite(row) => Value::from(row.get_ref(column)?),
            Row::Postgres(row) => {
                let found = row.columns().iter().position(|found| found.name() == column);
                let missing = || StoreError::unreadable(format!("the answer has no column {column}"));
                from_postgres(row, found.ok_or_else(missing)?)?
            }
        };
        T::from_value(value)
            .ok_or_else(|| StoreError::unreadable(format!("the column {column} holds what it must not")))
    }

    /// All columns with their names, in their order.
    pub fn columns(&self) -> Result<Vec<(String, Value)>, StoreError> {
        match self {
            Row::Sqlite(row) => {
                let names = row.as_ref().column_names().enumerate();
                names.map(|(n, name)| Ok((name.to_owned(), Value::from(row.get_ref(n)?)))).collect()
            }
            Row::Postgres(row) => {
                let columns = row.columns().iter().enumerate();
                columns.map(|(n, column)| Ok((column.name().to_owned(), from_postgres(row, n)?))).collect()
            }
        }
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Value {
        match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(number) => Value::Real(number),
            ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        }
    }
}

/// What PostgreSQL tells apart and we do not, such as truth and 1, becomes one.
fn from_postgres(row: &tokio_postgres::Row, n: usize) -> Result<Value, StoreError> {
    let kind = row.columns()[n].type_();
    let value = match *kind {
        Type::INT8 => row.try_get::<_, Option<i64>>(n)?.map(Value::Integer),
        Type::INT4 => row.try_get::<_, Option<i32>>(n)?.map(|number| Value::Integer(number.into())),
        Type::BOOL => row.try_get::<_, Option<bool>>(n)?.map(|truth| Value::Integer(truth.into())),
        Type::FLOAT8 => row.try_get::<_, Option<f64>>(n)?.map(Value::Real),
        Type::TEXT => row.try_get::<_, Option<String>>(n)?.map(Value::Text),
        Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(n)?.map(Value::Blob),
        _ => {
            let column = row.columns()[n].name();
            return Err(StoreError::unreadable(format!("the column {column} has the type {kind}; cast it")));
        }
    };
    Ok(value.unwrap_or(Value::Null))
}

/// Goes to PostgreSQL as whatever it takes the parameter for.
impl tokio_postgres::types::ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self, kind) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Integer(number), &Type::INT8) => number.to_sql(kind, out),
            (Value::Integer(number), &Type::INT4) => i32::try_from(*number)?.to_sql(kind, out),
            (Value::Integer(number), &Type::FLOAT8) => (*number as f64).to_sql(kind, out),
            (Value::Real(number), &Type::FLOAT8) => number.to_sql(kind, out),
            (Value::Text(text), &(Type::TEXT | Type::VARCHAR)) => text.to_sql(kind, out),
            (Value::Blob(bytes), &Type::BYTEA) => bytes.to_sql(kind, out),
            _ => Err(format!("PostgreSQL takes a parameter for {kind}, and the program does not").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// The parameters of a statement, in the order of `$1`, `$2` and so on.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::store::ToValue::to_value(&$value)),*] };
}
pub(crate) use params;

impl ToValue for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

impl ToValue for str {
    fn to_value(&self) -> Value {
        Value::Text(self.to_owned())
    }
}

impl ToValue for String {
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text) } else { None }
    }
}

impl ToValue for [u8] {
    fn to_value(&self) -> Value {
        Value::Blob(self.to_vec())
    }
}

impl ToValue for Vec<u8> {
    fn to_value(&self) -> Value {
        Value::Blob(self.clone())
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Blob(bytes) = value { Some(bytes) } else { None }
    }
}

impl ToValue for bool {
    fn to_value(&self) -> Value {
        Value::Integer(i64::from(*self))
    }
}

impl FromValue for bool {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Integer(0) => Some(false),
            Value::Integer(1) => Some(true),
            _ => None,
        }
    }
}

impl FromValue for f64 {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Real(number) => Some(number),
            Value::Integer(number) => Some(number as f64),
            _ => None,
        }
    }
}

impl ToValue for f64 {
    fn to_value(&self) -> Value {
        Value::Real(*self)
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        impl ToValue for $type {
            /// What is larger than the database can hold becomes the largest that it can.
            fn to_value(&self) -> Value {
                Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        }
        impl FromValue for $type {
            fn from_value(value: Value) -> Option<Self> {
                if let Value::Integer(number) = value { <$type>::try_from(number).ok() } else { None }
            }
        }
    )*};
}
whole_numbers!(i64, u64, u32, u16, u8, usize);

impl ToValue for Cents {
    fn to_value(&self) -> Value {
        Value::Integer(self.0)
    }
}

impl FromValue for Cents {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).map(Cents)
    }
}

impl ToValue for Timestamp {
    fn to_value(&self) -> Value {
        Value::Integer(self.as_micros())
    }
}

impl FromValue for Timestamp {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).map(Timestamp::from_micros)
    }
}

macro_rules! words {
    ($($type:ty),* $(,)?) => {$(
        impl ToValue for $type {
            fn to_value(&self) -> Value {
                Value::Text(self.as_str().to_owned())
            }
        }
        impl FromValue for $type {
            fn from_value(value: Value) -> Option<Self> {
                String::from_value(value).map(<$type>::from)
            }
        }
    )*};
}
words!(
    AgentId,
    AgentKeyId,
    OwnerId,
    ApiKeyId,
    ProjectId,
    PositionId,
    ApplicationId,
    TicketId,
    CommentId,
    ChannelId,
    MessageId,
    KnowledgeId,
    WebhookId,
    DeliveryId,
    TransactionId,
    TicketStatus,
    ApprovalStatus,
    Priority,
    TicketType,
    RoleLevel,
    KnowledgeCategory,
    Importance,
    LlmProvider,
    AutonomyLevel,
    ProjectStatus,
    PositionStatus,
    ApplicationStatus,
    AccountKind,
    ActorKind,
    TransactionKind,
    EventKind,
    DeliveryStatus,
);

/// A list or structure that the database keeps as JSON and never looks into.
#[derive(Debug, Clone, PartialEq)]
pub struct Json<T>(pub T);

impl<T: serde::Serialize> ToValue for Json<T> {
    fn to_value(&self) -> Value {
        Value::Text(serde_json::to_string(&self.0).expect("the contract's types always become JSON"))
    }
}

impl<T: serde::de::DeserializeOwned> FromValue for Json<T> {
    fn from_value(value: Value) -> Option<Self> {
        serde_json::from_str(&String::from_value(value)?).ok().map(Json)
    }
}
