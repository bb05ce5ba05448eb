//! The Merkle tree over the leaves of the chain (RFC 6962 §2.1). Pure functions.
//!
//! ```text
//!            root                 A tree of five leaves is a tree of four and a tree of one: the frontier is [a, b].
//!          /      \               One more leaf changes only the frontier, so a tree of any size is kept in some
//!        a          b             twenty hashes.
//!      /   \        |
//!     n     n       |
//!    / \   / \      |
//!   1   2 3   4     5
//! ```

use sha2::{Digest as _, Sha256};

use crate::base::Digest;

/// RFC 6962 §2.1: nodes are hashed with another first byte than leaves.
const NODE: u8 = 0x01;

fn node(left: &Digest, right: &Digest) -> Digest {
    let mut hash = Sha256::new();
    hash.update([NODE]);
    hash.update(left);
    hash.update(right);
    hash.finalize().into()
}

/// A tree that only grows: the roots of its complete subtrees, the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frontier {
    size: u64,
    roots: Vec<Digest>,
}

impl Frontier {
    /// The tree of `size` leaves with these roots of complete subtrees. `None`: a tree of this size has another number of
    /// them.
    pub(super) fn from_parts(size: u64, roots: &[u8]) -> Option<Self> {
        let (roots, rest) = roots.as_chunks::<32>();
        (rest.is_empty() && roots.len() == size.count_ones() as usize).then(|| Self { size, roots: roots.to_vec() })
    }

    /// The number of leaves.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, one after the other.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.roots.concat()
    }

    /// Adds a leaf hash.
    pub(super) fn push(&mut self, leaf: Digest) {
        let mut root = leaf;
        // Each subtree that is as large as the one to its right becomes one with it: as many as the size ends with ones.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                root = node(&left, &root);
            }
        }
        self.roots.push(root);
        self.size += 1;
    }

    /// The root of the tree. Of an empty one: SHA-256 of nothing.
    pub(super) fn root(&self) -> Digest {
        let mut roots = self.roots.iter().rev();
        match roots.next() {
            None => Sha256::digest([]).into(),
            Some(last) => roots.fold(*last, |right, left| node(left, &right)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(content: &[u8]) -> Digest {
        Sha256::new().chain_update([0]).chain_update(content).finalize().into()
    }

    // The leaves and roots that implementations of RFC 6962 test with (Certificate Transparency, `merkletree_test`).
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn the_known_trees_have_their_roots() {
        let mut tree = Frontier::default();
        assert_eq!(hex::encode(tree.root()), hex::encode(Sha256::digest([])));
        for (content, root) in LEAVES.iter().zip(ROOTS) {
            tree.push(leaf(&hex::decode(content).unwrap()));
            assert_eq!(hex::encode(tree.root()), root, "after {} leaves", tree.size());
            assert_eq!(Frontier::from_parts(tree.size(), &tree.bytes()), Some(tree.clone()));
        }
    }

    #[test]
    fn parts_of_another_size_are_no_tree() {
        assert_eq!(Frontier::from_parts(3, &[0; 32]), None);
        assert_eq!(Frontier::from_parts(1, &[0; 33]), None);
        assert_eq!(Frontier::from_parts(0, &[]), Some(Frontier::default()));
    }
}
