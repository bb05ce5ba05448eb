//! All SQL about workspaces.

use rusqlite::{Row, named_params};

use super::model::{Membership, Workspace};
use super::tables::{MEMBERSHIP, WORKSPACE};
use crate::base::{AccountId, Role, WorkspaceId};
use crate::db::{Error, Tx, View, by_name, columns, insert, only, sql, values};

const INSERT: &str = insert!(WORKSPACE);
const ROW: &str = columns!(WORKSPACE, except state);
const FIND: &str = sql!("select ", ROW, " from workspace where id = :id");
const FIND_PERSONAL: &str = sql!("select ", ROW, " from workspace where owner_id = :owner_id and kind = 'personal'");
const RENAME_PERSONAL: &str = "
    update workspace set slug = :slug, name = :slug where owner_id = :owner_id and kind = 'personal'";
const UPDATE_PLAN: &str = "update workspace set plan = :plan where id = :id";
const DELETE: &str = "delete from workspace where id = :id";
const INSERT_MEMBER: &str = insert!(MEMBERSHIP);
const FIND_ROLE: &str = "
    select role from membership where workspace_id = :workspace_id and account_id = :account_id";
const LIST_MEMBERS: &str = "
    select account_id, role, joined_at from membership where workspace_id = :workspace_id order by joined_at limit 1000";
const DELETE_MEMBERS: &str = "delete from membership where workspace_id = :workspace_id";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    RENAME_PERSONAL,
    INSERT,
    FIND,
    FIND_PERSONAL,
    UPDATE_PLAN,
    DELETE,
    INSERT_MEMBER,
    FIND_ROLE,
    LIST_MEMBERS,
    DELETE_MEMBERS,
];

fn read(row: &Row<'_>) -> rusqlite::Result<Workspace> {
    by_name!(row, ROW => id, kind, slug, name, plan, region, owner_id, created_at);
    Ok(Workspace {
        id: id.get()?,
        kind: kind.get()?,
        slug: slug.get()?,
        name: name.get()?,
        plan: plan.get()?,
        region: region.get()?,
        owner: owner_id.get()?,
        created_at: created_at.get()?,
    })
}

pub(super) fn insert(
    tx: &mut Tx<'_>,
    id: WorkspaceId,
    slug: &str,
    owner: AccountId,
    region: &str,
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT,
        values!(WORKSPACE => {
            id: id,
            kind: "personal",
            slug: slug,
            name: slug,
            plan: "free",
            region: region,
            owner_id: owner,
            state: "active",
            created_at: now,
        }),
    )?;
    Ok(())
}

/// The workspace. `None`: there is none.
///
/// # Errors
/// [`Error`].
pub fn find(view: &View<'_>, id: WorkspaceId) -> Result<Option<Workspace>, Error> {
    view.find(FIND, named_params! {":id": id}, read)
}

/// The account's personal workspace. `None`: there is no such account.
///
/// # Errors
/// [`Error`].
pub fn find_personal(view: &View<'_>, owner: AccountId) -> Result<Option<Workspace>, Error> {
    view.find(FIND_PERSONAL, named_params! {":owner_id": owner}, read)
}

/// Deletes the rows of the workspace. Everything it owns must be deleted before.
///
/// # Errors
/// [`Error`].
pub fn delete(tx: &mut Tx<'_>, id: WorkspaceId) -> Result<(), Error> {
    tx.execute(DELETE_MEMBERS, named_params! {":workspace_id": id})?;
    tx.execute(DELETE, named_params! {":id": id})?;
    Ok(())
}

/// Gives the account's personal workspace another name.
///
/// # Errors
/// [`Error`].
pub fn rename_personal(tx: &mut Tx<'_>, owner: AccountId, slug: &str) -> Result<(), Error> {
    tx.execute(RENAME_PERSONAL, named_params! {":owner_id": owner, ":slug": slug})?;
    Ok(())
}

pub(super) fn update_plan(tx: &mut Tx<'_>, id: WorkspaceId, plan: &str) -> Result<(), Error> {
    tx.execute(UPDATE_PLAN, named_params! {":id": id, ":plan": plan})?;
    Ok(())
}

pub(super) fn insert_member(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    account: AccountId,
    role: Role,
) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        INSERT_MEMBER,
        values!(MEMBERSHIP => { account_id: account, role: role, joined_at: now, workspace_id: workspace }),
    )?;
    Ok(())
}

/// The role of the account in the workspace. `None`: it is not a member.
///
/// # Errors
/// [`Error`].
pub fn find_role(view: &View<'_>, workspace: WorkspaceId, account: AccountId) -> Result<Option<Role>, Error> {
    view.find(FIND_ROLE, named_params! {":workspace_id": workspace, ":account_id": account}, only)
}

/// The members, the oldest first, a thousand at most.
///
/// # Errors
/// [`Error`].
pub fn list_members(view: &View<'_>, workspace: WorkspaceId) -> Result<Vec<Membership>, Error> {
    view.list(LIST_MEMBERS, named_params! {":workspace_id": workspace}, |row| {
        by_name!(row, LIST_MEMBERS => account_id, role, joined_at);
        Ok(Membership { account: account_id.get()?, role: role.get()?, joined_at: joined_at.get()? })
    })
}
