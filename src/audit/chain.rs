//! The hash chain: `(previous leaf, event) -> leaf`. Pure functions.
//!
//! The order of events is the order of commits, because there is one writer: an event gets its number and its
//! predecessor inside the transaction that commits it, while that transaction holds the write lock.
//!
//! ```text
//! event 1            event 2                     event 3
//! leaf1 = H(0x00, GENESIS, fields)   leaf2 = H(0x00, leaf1, fields)   leaf3 = H(0x00, leaf2, fields)
//! ```

use sha2::{Digest as _, Sha256};

use crate::base::{Digest, Timestamp};

/// RFC 6962 §2.1: leaves and nodes are hashed with different first bytes, so that one cannot be used as the other.
const LEAF: u8 = 0x00;
const DOMAIN: &[u8] = b"domicile/audit/1";
const PRIVATE_DOMAIN: &[u8] = b"domicile/private/1";
/// The length that is hashed for a field that is absent. No field is that long.
const ABSENT: u32 = u32::MAX;

/// The fields of an event that the chain protects, as stored.
pub(super) struct Leaf<'e> {
    pub seq: i64,
    pub id: &'e str,
    pub at: Timestamp,
    pub event: &'e str,
    pub outcome: &'e str,
    pub workspace: Option<&'e str>,
    pub actor_kind: &'e str,
    pub actor_id: Option<&'e str>,
    pub target: Option<&'e str>,
    pub data: &'e str,
    pub commitments: &'e str,
}

/// The leaf of the event that follows `previous`. Every field is hashed with its length, so two different events never
/// give the same input.
pub(super) fn leaf(previous: &Digest, event: &Leaf<'_>) -> Digest {
    let mut hash = Sha256::new();
    hash.update([LEAF]);
    hash.update(DOMAIN);
    hash.update(previous);
    hash.update(event.seq.to_be_bytes());
    hash.update(event.at.millis().to_be_bytes());
    let fields = [
        Some(event.id),
        Some(event.event),
        Some(event.outcome),
        event.workspace,
        Some(event.actor_kind),
        event.actor_id,
        event.target,
        Some(event.data),
        Some(event.commitments),
    ];
    for field in fields {
        let length = field.map_or(ABSENT, |text| u32::try_from(text.len()).unwrap_or(ABSENT - 1));
        hash.update(length.to_be_bytes());
        hash.update(field.unwrap_or_default());
    }
    hash.finalize().into()
}

/// The commitment to a private part. Without the 256-bit salt it reveals nothing, so deleting the salt erases the part.
pub(super) fn commitment(salt: &[u8; 32], subject: &str, part: &str, value: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(PRIVATE_DOMAIN);
    hash.update(salt);
    for field in [subject, part, value] {
        hash.update(u32::try_from(field.len()).unwrap_or(ABSENT).to_be_bytes());
        hash.update(field);
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::GENESIS;

    fn event() -> Leaf<'static> {
        Leaf {
            seq: 1,
            id: "evt_1",
            at: Timestamp::from_millis(5),
            event: "account.created",
            outcome: "success",
            workspace: None,
            actor_kind: "system",
            actor_id: None,
            target: Some("acc_1"),
            data: "{}",
            commitments: "{}",
        }
    }

    #[test]
    fn every_field_and_the_predecessor_change_the_leaf() {
        let leaf_of = |change: &dyn Fn(&mut Leaf<'static>)| {
            let mut changed = event();
            change(&mut changed);
            leaf(&GENESIS, &changed)
        };
        let mut leaves = vec![
            leaf_of(&|_| ()),
            leaf_of(&|e| e.seq = 2),
            leaf_of(&|e| e.id = "evt_2"),
            leaf_of(&|e| e.at = Timestamp::from_millis(6)),
            leaf_of(&|e| e.event = "account.deleted"),
            leaf_of(&|e| e.outcome = "denied"),
            leaf_of(&|e| e.workspace = Some("")),
            leaf_of(&|e| e.actor_kind = "operator"),
            leaf_of(&|e| e.actor_id = Some("acc_1")),
            leaf_of(&|e| e.target = None),
            leaf_of(&|e| e.data = "{ }"),
            leaf_of(&|e| e.commitments = "[]"),
            leaf(&[1; 32], &event()),
        ];
        let all = leaves.len();
        leaves.sort_unstable();
        leaves.dedup();

        assert_eq!(leaves.len(), all);
    }
}
