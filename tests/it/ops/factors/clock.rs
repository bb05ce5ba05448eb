//! Codes of authenticator apps while the clock of the machine is set.

use domicile::base::{ClockStep, days};

use super::*;

const YEAR: std::time::Duration = days(365);

#[test]
fn a_code_that_was_accepted_before_the_clock_was_set_back_is_refused_after_it() {
    for by in [seconds(90), minutes(10), hours(1), YEAR] {
        let site = TestApp::new();
        let ada = site.person("ada-ada");
        let enrolment = site.enrol(&ada);
        // The code of a year before, where the clock will be.
        let used_at = site.clock.now();
        let code = enrolment.code(&site);
        site.second_step(&site.pending_sign_in("ada-ada"), &code).unwrap();

        site.step(ClockStep::Back(by));

        assert!(code_refused(site.second_step(&site.pending_sign_in("ada-ada"), &code)), "{by:?}");
        if by <= minutes(10) {
            site.clock.advance(by);
            assert_eq!(site.clock.now(), used_at);
            assert!(code_refused(site.second_step(&site.pending_sign_in("ada-ada"), &code)), "{by:?}, there again");
            site.clock.advance(minutes(1));
        } else {
            // What an app shows just after the step may have been seen before it.
            let shown = enrolment.code(&site);
            assert!(code_refused(site.second_step(&site.pending_sign_in("ada-ada"), &shown)), "{by:?}");
            site.clock.advance(minutes(1));
        }
        let code = enrolment.code(&site);
        site.second_step(&site.pending_sign_in("ada-ada"), &code).unwrap();
    }
}

#[test]
fn codes_that_were_used_while_the_clock_was_ahead_lock_nobody_out() {
    for is_restarted in [false, true] {
        let site = TestApp::new();
        let ada = site.person("ada-ada");
        let enrolment = site.enrol(&ada);
        let right = site.clock.now();
        site.step(ClockStep::Forward(YEAR));
        site.clock.advance(minutes(1));
        let code = enrolment.code(&site);
        site.second_step(&site.pending_sign_in("ada-ada"), &code).unwrap();
        site.clock.advance(minutes(5));

        let site = if is_restarted {
            site.restart_at(right.plus(minutes(6)))
        } else {
            site.step(ClockStep::Back(YEAR));
            site
        };

        site.clock.advance(minutes(1));
        let code = enrolment.code(&site);
        site.second_step(&site.pending_sign_in("ada-ada"), &code).expect("the code of now");
        assert!(code_refused(site.second_step(&site.pending_sign_in("ada-ada"), &code)), "once");
    }
}
