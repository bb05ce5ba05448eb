//! All SQL about workspaces.

use rusqlite::{Row, named_params};

use super::model::{Membership, Workspace};
use crate::base::{AccountId, Role, WorkspaceId};
use crate::db::{Error, Tx, View};

const INSERT: &str = "
    insert into workspace (id, kind, slug, name, region, owner_id, state, created_at)
    values (:id, :kind, :slug, :name, :region, :owner_id, 'active', :created_at)";
const FIND: &str = "
    select id, kind, slug, name, plan, region, owner_id, created_at from workspace where id = :id";
const FIND_PERSONAL: &str = "
    select id, kind, slug, name, plan, region, owner_id, created_at from workspace
    where owner_id = :owner_id and kind = 'personal'";
const DELETE: &str = "delete from workspace where id = :id";
const INSERT_MEMBER: &str = "
    insert into membership (workspace_id, account_id, role, joined_at)
    values (:workspace_id, :account_id, :role, :joined_at)";
const FIND_ROLE: &str = "
    select role from membership where workspace_id = :workspace_id and account_id = :account_id";
const LIST_MEMBERS: &str = "
    select account_id, role, joined_at from membership where workspace_id = :workspace_id order by joined_at limit 1000";
const DELETE_MEMBERS: &str = "delete from membership where workspace_id = :workspace_id";

/// Every statement of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] =
    &[INSERT, FIND, FIND_PERSONAL, DELETE, INSERT_MEMBER, FIND_ROLE, LIST_MEMBERS, DELETE_MEMBERS];

fn read(row: &Row<'_>) -> rusqlite::Result<Workspace> {
    Ok(Workspace {
        id: row.get(0)?,
        kind: row.get(1)?,
        slug: row.get(2)?,
        name: row.get(3)?,
        plan: row.get(4)?,
        region: row.get(5)?,
        owner: row.get(6)?,
        created_at: row.get(7)?,
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
        named_params! {
            ":id": id,
            ":kind": "personal",
            ":slug": slug,
            ":name": slug,
            ":region": region,
            ":owner_id": owner,
            ":created_at": now,
        },
    )?;
    Ok(())
}

pub(super) fn find(view: &View<'_>, id: WorkspaceId) -> Result<Option<Workspace>, Error> {
    view.find(FIND, named_params! {":id": id}, read)
}

pub(super) fn find_personal(view: &View<'_>, owner: AccountId) -> Result<Option<Workspace>, Error> {
    view.find(FIND_PERSONAL, named_params! {":owner_id": owner}, read)
}

pub(super) fn delete(tx: &mut Tx<'_>, id: WorkspaceId) -> Result<(), Error> {
    tx.execute(DELETE_MEMBERS, named_params! {":workspace_id": id})?;
    tx.execute(DELETE, named_params! {":id": id})?;
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
        named_params! {":workspace_id": workspace, ":account_id": account, ":role": role, ":joined_at": now},
    )?;
    Ok(())
}

pub(super) fn find_role(view: &View<'_>, workspace: WorkspaceId, account: AccountId) -> Result<Option<Role>, Error> {
    view.find(FIND_ROLE, named_params! {":workspace_id": workspace, ":account_id": account}, |row| row.get(0))
}

pub(super) fn list_members(view: &View<'_>, workspace: WorkspaceId) -> Result<Vec<Membership>, Error> {
    view.list(LIST_MEMBERS, named_params! {":workspace_id": workspace}, |row| {
        Ok(Membership { account: row.get(0)?, role: row.get(1)?, joined_at: row.get(2)? })
    })
}
