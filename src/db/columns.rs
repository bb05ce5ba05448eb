//! How values are stored in columns: ids as text, times as integer milliseconds, money as integer micro-credits.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::base::{
    AccountId, ApiKeyId, ArtifactId, CommandId, Credits, EmailAddress, EmailChangeId, EmailId, EventId, HoldId,
    IdentityId, InvitationId, JobId, LeaseId, LedgerAccountId, LotId, MailId, PasskeyId, Quantity, RequestId,
    ResourceId, Role, ServiceCredentialId, ServiceId, SessionId, Timestamp, TransactionId, VoucherBatchId,
    VoucherCodeId, WorkspaceId,
};

#[derive(Debug)]
struct InvalidStoredValue(&'static str);

impl std::fmt::Display for InvalidStoredValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "this is not the stored form of {}", self.0)
    }
}

impl std::error::Error for InvalidStoredValue {}

fn damaged(what: &'static str) -> FromSqlError {
    FromSqlError::Other(Box::new(InvalidStoredValue(what)))
}

macro_rules! text_ids {
    ($($id:ident)*) => {$(
        impl ToSql for $id {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(self.to_text()))
            }
        }

        impl FromSql for $id {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                $id::parse(value.as_str()?).ok_or_else(|| damaged(stringify!($id)))
            }
        }
    )*};
}

text_ids! {
    AccountId EmailId EmailChangeId WorkspaceId ApiKeyId ServiceId ServiceCredentialId CommandId SessionId EventId LedgerAccountId TransactionId LotId HoldId
    JobId MailId RequestId ResourceId LeaseId ArtifactId IdentityId InvitationId PasskeyId VoucherBatchId
    VoucherCodeId
}

impl ToSql for Timestamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.millis()))
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self::from_millis)
    }
}

impl ToSql for Credits {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.micro()))
    }
}

impl FromSql for Credits {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::from_micro(value.as_i64()?).ok_or_else(|| damaged("an amount"))
    }
}

impl ToSql for Quantity {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.micro()))
    }
}

impl FromSql for Quantity {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::from_micro(value.as_i64()?).ok_or_else(|| damaged("a quantity"))
    }
}

impl ToSql for EmailAddress {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.as_str()))
    }
}

impl FromSql for EmailAddress {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).map_err(|_| damaged("an e-mail address"))
    }
}

impl ToSql for Role {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.as_str()))
    }
}

impl FromSql for Role {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).ok_or_else(|| damaged("a role"))
    }
}
