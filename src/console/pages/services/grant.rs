//! The fields of a form that say what a service may do.

use crate::base::WorkspaceId;
use crate::http::Form;
use crate::services::{Grant, ServiceError, ServiceScope, ServiceScopes, WorkspaceGrant};

pub(super) struct ScopeChoice {
    pub name: &'static str,
    pub label: &'static str,
    pub is_chosen: bool,
}

/// The fields as a person filled them in.
pub(super) struct GrantFields {
    pub scopes: Vec<ScopeChoice>,
    pub only_listed: bool,
    /// Ids of workspaces, one on each line.
    pub listed: String,
}

fn choices(is_chosen: impl Fn(ServiceScope) -> bool) -> Vec<ScopeChoice> {
    let choice = |scope: ServiceScope| ScopeChoice {
        name: scope.as_str(),
        label: scope.description(),
        is_chosen: is_chosen(scope),
    };
    ServiceScope::ALL.into_iter().map(choice).collect()
}

impl GrantFields {
    /// The fields of a grant.
    pub fn new(grant: &Grant) -> Self {
        let listed = grant.workspaces.listed();
        let lines = |ids: &[WorkspaceId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        Self {
            scopes: choices(|scope| grant.scopes.contains(scope)),
            only_listed: listed.is_some(),
            listed: listed.map(lines).unwrap_or_default(),
        }
    }

    /// The fields of a form that was sent.
    pub fn of(form: &Form) -> Self {
        let chosen = form.all("scope");
        Self {
            scopes: choices(|scope| chosen.iter().any(|name| name == scope.as_str())),
            only_listed: form.text("workspaces") != "all",
            listed: form.text("workspace").to_owned(),
        }
    }

    /// What they say.
    ///
    /// # Errors
    /// [`ServiceError::Workspace`] for an id that is none; [`ServiceError::TooManyWorkspaces`].
    pub fn read(&self) -> Result<Grant, ServiceError> {
        let chosen = self.scopes.iter().filter(|scope| scope.is_chosen);
        let scopes: ServiceScopes = chosen.filter_map(|scope| ServiceScope::parse(scope.name)).collect();
        if !self.only_listed {
            return Ok(Grant { scopes, workspaces: WorkspaceGrant::All });
        }
        let words = self.listed.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
        let ids = words.map(|word| WorkspaceId::parse(word).ok_or(ServiceError::Workspace));
        let workspaces = WorkspaceGrant::only(ids.collect::<Result<_, _>>()?);
        Ok(Grant { scopes, workspaces: workspaces.ok_or(ServiceError::TooManyWorkspaces)? })
    }
}
