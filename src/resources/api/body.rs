//! Reads the members of JSON objects, with a code of its own for each fault.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::super::error::ResourceError;
use super::super::model::{ExternalId, NUMBER_MAX, NewResource, ResourceName, Slug};
use crate::base::{Problem, WorkspaceId};
use crate::http::json;

/// The members of a resource.
pub(super) const RESOURCE_MEMBERS: [&str; 7] = ["workspace", "type", "name", "slug", "parent", "size", "version"];

/// The members of a JSON object. If a name occurs twice, the last value counts, as in most JSON parsers.
pub(super) struct Members(Map<String, Value>);

impl Members {
    /// Of a body, which has these members only.
    pub(super) fn parse(body: &[u8], known: &[&str]) -> Result<Self, Problem> {
        let value: Value = serde_json::from_slice(body).map_err(|error| json::malformed_json(&error))?;
        let members = Self::of(value).ok_or_else(|| {
            Problem::new(400, "malformed_json", "The body is not a JSON object. Send the members between { and }.")
        })?;
        members.only(known)?;
        Ok(members)
    }

    /// Of a value. `None`: it is no object.
    pub(super) fn of(value: Value) -> Option<Self> {
        serde_json::from_value(value).ok().map(Self)
    }

    /// Fails if it has another member.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), ResourceError> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => Err(ResourceError::UnknownMember(unknown.clone())),
            None => Ok(()),
        }
    }

    /// Takes the list `resources` out.
    pub(super) fn take_resources(&mut self) -> Result<Vec<Value>, ResourceError> {
        let member = "resources";
        let list = self.take(member).ok_or(ResourceError::Missing(member))?;
        let rule = "a list of 0 to 1000 resources";
        serde_json::from_value(list).map_err(|_| ResourceError::Bad { member, code: "bad_batch", rule })
    }

    /// Takes a member out. `None`: it is missing, or null, which means the same.
    pub(super) fn take(&mut self, member: &str) -> Option<Value> {
        self.0.remove(member).filter(|value| !value.is_null())
    }

    /// A text, parsed. `None`: it is missing.
    pub(super) fn parsed<T>(
        &self,
        member: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
        fault: ResourceError,
    ) -> Result<Option<T>, ResourceError> {
        match self.0.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => parse(text).map(Some).ok_or(fault),
            Some(_) => Err(fault),
        }
    }

    /// A text that has to be there, parsed.
    pub(super) fn needed<T>(
        &self,
        member: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
        fault: ResourceError,
    ) -> Result<T, ResourceError> {
        self.parsed(member, parse, fault)?.ok_or(ResourceError::Missing(member))
    }

    /// A whole number in this range. `None`: it is missing.
    pub(super) fn whole(
        &self,
        member: &'static str,
        range: RangeInclusive<i64>,
        fault: ResourceError,
    ) -> Result<Option<i64>, ResourceError> {
        match self.0.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_i64().filter(|number| range.contains(number)).map(Some).ok_or(fault),
        }
    }

    /// The workspace.
    pub(super) fn workspace(&self) -> Result<WorkspaceId, ResourceError> {
        self.needed("workspace", WorkspaceId::parse, ResourceError::NoWorkspace)
    }

    /// The type.
    pub(super) fn kind(&self) -> Result<String, ResourceError> {
        let is_short = |text: &str| (text.len() <= 64).then(|| text.to_owned());
        self.needed("type", is_short, ResourceError::UnknownType)
    }

    /// The bytes. Without the member: 0.
    pub(super) fn size(&self) -> Result<i64, ResourceError> {
        let rule = "a whole number of bytes from 0 to 9007199254740991";
        let fault = ResourceError::Bad { member: "size", code: "bad_size", rule };
        Ok(self.whole("size", 0..=NUMBER_MAX, fault)?.unwrap_or(0))
    }
}

pub(super) const fn bad_id(member: &'static str) -> ResourceError {
    let rule = "1 to 200 of a-z, A-Z, 0-9 and -._~:@+=, and not \"batch\"";
    ResourceError::Bad { member, code: "bad_id", rule }
}

pub(super) const fn bad_name() -> ResourceError {
    let rule = "1 to 200 visible characters without < and >";
    ResourceError::Bad { member: "name", code: "bad_name", rule }
}

/// Reads a resource with this id, or with the id in its member `id`.
pub(super) fn read_resource(members: &Members, id: Option<ExternalId>) -> Result<NewResource, ResourceError> {
    let id = match id {
        Some(id) => id,
        None => members.needed("id", ExternalId::parse, bad_id("id"))?,
    };
    let slug_rule = "1 to 100 of a-z, 0-9 and -._, beginning with a letter or digit";
    let slug = ResourceError::Bad { member: "slug", code: "bad_slug", rule: slug_rule };
    let version_rule = "a whole number from 1 to 9007199254740991";
    let version = ResourceError::Bad { member: "version", code: "bad_version", rule: version_rule };
    Ok(NewResource {
        external_id: id,
        workspace: members.workspace()?,
        kind: members.kind()?,
        name: members.needed("name", ResourceName::parse, bad_name())?,
        slug: members.parsed("slug", Slug::parse, slug)?,
        parent: members.parsed("parent", ExternalId::parse, ResourceError::UnknownParent)?,
        size_bytes: members.size()?,
        version: members.whole("version", 1..=NUMBER_MAX, version)?.ok_or(ResourceError::Missing("version"))?,
    })
}

/// Reads a resource of a list, which has its id in a member.
pub(super) fn read_listed(value: Value) -> Result<NewResource, ResourceError> {
    let rule = "a JSON object";
    let members = Members::of(value).ok_or(ResourceError::Bad { member: "resources", code: "bad_resource", rule })?;
    members.only(&["id"].into_iter().chain(RESOURCE_MEMBERS).collect::<Vec<_>>())?;
    read_resource(&members, None)
}
