//! Reads `[[plans]]`.

use super::super::plans::{FREE_PLAN, LimitKey, Limits, Plan};
use super::super::raw::{Entry, RawValue, Setting};
use super::super::syntax::is_short_name;
use super::Reader;

const PLANS: &str = "plans";
/// The largest number that JSON parsers read exactly (RFC 8259 §6).
const LIMIT_MAX: i64 = (1 << 53) - 1;

impl Reader {
    /// The plans, the free one among them. Without any, the free one limits nothing.
    pub(super) fn plans(&mut self) -> Vec<Plan> {
        self.known.push(PLANS.to_owned());
        let entries: Vec<Entry> = self.raw.lists.remove(PLANS).unwrap_or_default();
        if entries.is_empty() {
            return vec![Plan::unlimited()];
        }
        let first = entries[0].0.clone();
        let mut plans: Vec<Plan> = Vec::new();
        for (at, mut entry) in entries {
            let mut text = |reader: &mut Self, member: &str| match entry.remove(member) {
                Some(Setting { value: RawValue::Text(text), .. }) if !text.trim().is_empty() => text,
                other => {
                    let at = other.map_or(at.clone(), |setting| setting.origin);
                    reader.fault(&at, &format!("{PLANS}.{member}"), "is required, as a text in quotes");
                    String::new()
                }
            };
            let (code, name) = (text(self, "code"), text(self, "name"));
            if !code.is_empty() && !is_short_name(&code) {
                self.fault(
                    &at,
                    "plans.code",
                    "must be 1 to 32 characters of a-z, 0-9 and hyphens, beginning with a letter",
                );
            }
            if plans.iter().any(|known| known.code == code) {
                self.fault(&at, "plans.code", "has two plans; keep one of them");
            }
            let mut limits = Limits::default();
            for (member, setting) in entry {
                let key = format!("{PLANS}.{member}");
                match (LimitKey::parse(&member), setting.value) {
                    (Some(limit), RawValue::Number(number)) if (0..=LIMIT_MAX).contains(&number) => {
                        limits = limits.with(limit, Some(number));
                    }
                    (Some(_), _) => {
                        self.fault(
                            &setting.origin,
                            &key,
                            "must be a whole number, 0 or more; leave it out for no limit",
                        );
                    }
                    (None, _) => {
                        let known = LimitKey::ALL.map(|limit| format!("{PLANS}.{}", limit.as_str()));
                        self.unknown(&setting.origin, &key, &known);
                    }
                }
            }
            plans.push(Plan { code, name, limits });
        }
        if !plans.iter().any(|plan| plan.code == FREE_PLAN) {
            self.fault(
                &first,
                "plans.code",
                "never is \"free\", but new workspaces are on this plan. Add a plan with this code",
            );
        }
        plans
    }
}
