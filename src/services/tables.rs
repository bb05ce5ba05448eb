//! The tables of services: each column once, with its tags.

use crate::db::{Erasure, LINK, SECRET, STATE, Table, left_out, table};

/// All of them, in the order of the migrations.
pub const TABLES: &[Table] = &[
    SERVICE,
    SERVICE_CREDENTIAL,
    SERVICE_WORKSPACE,
    SERVICE_USE,
    SERVICE_ENROLMENT,
    SERVICE_MANIFEST,
    SERVICE_RESOURCE_TYPE,
    SERVICE_SKU,
];

table! {
    /// Other programs of the platform.
    pub(crate) SERVICE: "service" { part: None, erasure: Erasure::NothingPersonal }
    id = left_out(STATE);
    name = left_out("a program's name, given by an operator");
    scopes = left_out(STATE);
    has_all_workspaces = left_out(STATE);
    created_at = left_out(STATE);
    disconnected_at = left_out(STATE).set_later();
}

table! {
    /// The credentials of other programs.
    pub(crate) SERVICE_CREDENTIAL: "service_credential" { part: None, erasure: Erasure::NothingPersonal }
    id = left_out(STATE);
    service_id = left_out(LINK);
    lookup = left_out(SECRET);
    pepper_id = left_out(STATE);
    display = left_out(STATE);
    created_at = left_out(STATE);
    ends_at = left_out(STATE).set_later().ends();
    revoked_at = left_out(STATE).set_later();
}

table! {
    /// The workspaces of a service that may not touch all of them.
    pub(crate) SERVICE_WORKSPACE: "service_workspace" { part: None, erasure: Erasure::Deletes }
    service_id = left_out(LINK);
    workspace_id = left_out(LINK);
}

table! {
    /// When services last sent a request.
    pub(crate) SERVICE_USE: "service_use" { part: None, erasure: Erasure::NothingPersonal }
    service_id = left_out(LINK);
    last_seen_at = left_out(STATE);
}

table! {
    /// Codes with which services connect themselves.
    pub(crate) SERVICE_ENROLMENT: "service_enrolment" {
        part: None,
        kept: "ten minutes",
        erasure: Erasure::NothingPersonal,
    }
    lookup = left_out(SECRET);
    service_id = left_out(LINK);
    created_at = left_out(STATE);
    expires_at = left_out(STATE).ends();
}

table! {
    /// What services say about themselves.
    pub(crate) SERVICE_MANIFEST: "service_manifest" { part: None, erasure: Erasure::NothingPersonal }
    service_id = left_out(LINK);
    version = left_out(STATE);
    can_export = left_out(STATE);
    can_erase = left_out(STATE);
    digest = left_out(STATE);
    updated_at = left_out(STATE);
}

table! {
    /// The types of resources that manifests add.
    pub(crate) SERVICE_RESOURCE_TYPE: "service_resource_type" { part: None, erasure: Erasure::NothingPersonal }
    service_id = left_out(LINK);
    name = left_out(STATE);
    label = left_out(STATE);
    parent = left_out(STATE);
    category = left_out(STATE);
    limit_key = left_out(STATE);
}

table! {
    /// What services charge for.
    pub(crate) SERVICE_SKU: "service_sku" { part: None, erasure: Erasure::NothingPersonal }
    service_id = left_out(LINK);
    sku = left_out(STATE);
    label = left_out(STATE);
    unit = left_out(STATE);
}
