//! Entry points decide nothing: they parse, call one operation and show what it gives.
//!
//! A decision that stands in a page stands somewhere else too, in the operation; sooner or later the two differ, and a
//! page offers what the operation refuses. These rules read the syntax and find the usual forms of a decision: a
//! comparison, `matches!`, `if let` or `let .. else` with a variant of a state, a `match` on a state that treats some
//! variants alike with `_` or has a condition, and comparisons with limits and times. A `match` over all variants that
//! gives a label is no decision, and neither is one over what an operation answered or over an enum of the entry points.

use std::collections::BTreeSet;
use std::path::Path;

use proc_macro2::{Span, TokenTree};
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{BinOp, Expr, ExprBinary, ExprLet, ExprMatch, File, Item, Local, Macro, Pat};

use super::{lines_where, none_of, sources};

/// Decisions that may stay, each with the reason. The list may only shrink.
const EXCEPTIONS: [(&str, &str); 5] = [
    // A parser of our own that stops at the limit, so that no more than a batch is ever in memory.
    ("billing/api/usage_events/batch.rs", "self.events.len() < BATCH_EVENTS_MAX"),
    // Not a limit of the operation, but where a body is parsed.
    ("billing/api/mod.rs", "body.len() <= INLINE_PARSE_BYTES_MAX"),
    // The form of a JSON member, not a fact of the domain.
    ("billing/api/usage_events/", "Member::"),
    // The kind of an error of the operating system.
    ("cli/", "ErrorKind::"),
    // Which certificate a client accepts; the server decides nothing by it.
    ("cli/health.rs", "Tls::SelfSigned if is_local(target)"),
];

/// What operations answer and clients send: an entry point must tell these apart.
const ANSWERS: [&str; 6] = ["Error", "Outcome", "Refusal", "Verdict", "Decision", "Damage"];

/// An entry point or a flow, with its syntax.
struct EntryPoint {
    path: String,
    /// With comments.
    lines: Vec<String>,
    syntax: File,
}

fn is_entry_point(path: &str) -> bool {
    let path = path.trim_end_matches(".rs");
    path.starts_with("cli/") || path.split('/').any(|part| part == "pages" || part == "api")
}

/// Flows call operations one after the other, with slow work between them. They may tell answers apart, and no states.
fn is_flow(path: &str) -> bool {
    path.trim_end_matches(".rs").split('/').any(|part| part == "flows")
}

fn files_that(is_meant: fn(&str) -> bool) -> Vec<EntryPoint> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources().into_iter().map(|source| source.path).filter(|path| is_meant(path));
    files
        .map(|path| {
            let text = std::fs::read_to_string(root.join(&path)).unwrap();
            let lines = text.lines().map(str::to_owned).collect();
            EntryPoint { syntax: syn::parse_file(&text).unwrap(), path, lines }
        })
        .collect()
}

/// What kind of decision an expression is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    State,
    Limit,
    Date,
    Role,
}

/// The decisions of some code, in its order.
#[derive(Default)]
struct Decisions {
    found: Vec<(Kind, Span)>,
    /// The enums of entry points: they are no states of the domain.
    own: BTreeSet<String>,
}

impl Decisions {
    fn of_code(code: &str) -> Vec<Kind> {
        let mut decisions = Self::default();
        decisions.visit_block(&syn::parse_str(&format!("{{ {code} }}")).unwrap());
        decisions.found.into_iter().map(|(kind, _)| kind).collect()
    }

    fn are_states(&self, pat: &Pat) -> bool {
        let mut names = Names::of_pat(pat);
        names.variants.retain(|(name, _)| !self.own.contains(name));
        names.have_state()
    }

    fn note(&mut self, kind: Kind, is_there: bool, span: Span) {
        if is_there {
            self.found.push((kind, span));
        }
    }
}

impl<'ast> Visit<'ast> for Decisions {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.ident != "tests" {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_expr_binary(&mut self, binary: &'ast ExprBinary) {
        let is_equality = matches!(binary.op, BinOp::Eq(_) | BinOp::Ne(_));
        let is_order = matches!(binary.op, BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_));
        let sides = [Names::of_expr(&binary.left), Names::of_expr(&binary.right)];
        let any = |is: fn(&Names) -> bool| sides.iter().any(is);
        self.note(Kind::State, is_equality && any(Names::have_state), binary.span());
        self.note(Kind::Limit, (is_equality || is_order) && any(Names::have_limit), binary.span());
        self.note(Kind::Date, is_order && any(Names::have_date), binary.span());
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_let(&mut self, condition: &'ast ExprLet) {
        self.note(Kind::State, self.are_states(&condition.pat), condition.span());
        visit::visit_expr_let(self, condition);
    }

    fn visit_local(&mut self, local: &'ast Local) {
        let is_refutable = local.init.as_ref().is_some_and(|init| init.diverge.is_some());
        self.note(Kind::State, is_refutable && self.are_states(&local.pat), local.span());
        visit::visit_local(self, local);
    }

    fn visit_expr_match(&mut self, choice: &'ast ExprMatch) {
        let names_states = choice.arms.iter().any(|arm| self.are_states(&arm.pat));
        let is_partial = choice.arms.iter().any(|arm| matches!(arm.pat, Pat::Wild(_) | Pat::Ident(_) | Pat::Guard(_)));
        self.note(Kind::State, names_states && is_partial, choice.span());
        visit::visit_expr_match(self, choice);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        if call.path.is_ident("matches") {
            let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
            let is_if = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word == "if");
            let pattern = call.tokens.clone().into_iter().skip_while(|token| !is_comma(token)).skip(1);
            let pattern = pattern.take_while(|token| !is_if(token)).collect();
            let pattern = Pat::parse_multi_with_leading_vert.parse2(pattern);
            let is_state = pattern.is_ok_and(|pattern| self.are_states(&pattern));
            self.note(Kind::State, is_state, call.span());
        }
        visit::visit_macro(self, call);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let is_role = path.segments.len() > 1 && path.segments.iter().any(|segment| segment.ident == "Role");
        self.note(Kind::Role, is_role, path.span());
        visit::visit_path(self, path);
    }
}

/// The names in an expression or a pattern, not in what a call is given.
#[derive(Default)]
struct Names {
    /// `KeyState::Active`, as its last two parts.
    variants: Vec<(String, String)>,
    words: Vec<String>,
}

impl Names {
    fn of_expr(expr: &Expr) -> Self {
        let mut names = Self::default();
        names.visit_expr(expr);
        names
    }

    fn of_pat(pat: &Pat) -> Self {
        let mut names = Self::default();
        names.visit_pat(pat);
        names
    }

    fn have_state(&self) -> bool {
        let is_camel =
            |word: &str| word.starts_with(|c: char| c.is_uppercase()) && word.contains(|c: char| c.is_lowercase());
        self.variants.iter().any(|(name, variant)| {
            is_camel(name) && is_camel(variant) && !ANSWERS.iter().any(|answer| name.ends_with(answer))
        })
    }

    fn have_limit(&self) -> bool {
        let is_limit =
            |word: &String| (word.ends_with("_MAX") || word.ends_with("_MIN")) && !word.contains(char::is_lowercase);
        self.words.iter().any(is_limit)
    }

    fn have_date(&self) -> bool {
        let dates = ["now", "until", "since", "good_until", "delete_after"];
        self.words.iter().any(|word| word.ends_with("_at") || dates.contains(&word.as_str()))
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let [.., name, variant] = parts.as_slice() {
            self.variants.push((name.clone(), variant.clone()));
        }
        self.words.extend(parts);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        // Of `number("limit", PAGE_ITEMS_MAX)`, only the answer is compared.
        self.visit_expr(&call.func);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.words.push(call.method.to_string());
        self.visit_expr(&call.receiver);
        call.args.iter().for_each(|argument| self.visit_expr(argument));
    }

    fn visit_expr_field(&mut self, field: &'ast syn::ExprField) {
        if let syn::Member::Named(name) = &field.member {
            self.words.push(name.to_string());
        }
        self.visit_expr(&field.base);
    }

    fn visit_expr_closure(&mut self, _: &'ast syn::ExprClosure) {}

    fn visit_pat_guard(&mut self, guarded: &'ast syn::PatGuard) {
        self.visit_pat(&guarded.pat);
    }
}

fn enums_of(file: &File) -> Vec<String> {
    let name = |item: &Item| match item {
        Item::Enum(item) => Some(item.ident.to_string()),
        _ => None,
    };
    file.items.iter().filter_map(name).collect()
}

const WHY: &str = "where two places decide the same thing, they will differ, and a page offers what is refused";

#[track_caller]
fn no_decision(kind: Kind, cure: &str) {
    none_of(decisions_of(is_entry_point, kind), WHY, cure);
}

fn decisions_of(is_meant: fn(&str) -> bool, kind: Kind) -> Vec<String> {
    let mut breaches = Vec::new();
    let entry_points = files_that(is_meant);
    let own: BTreeSet<String> = entry_points.iter().flat_map(|source| enums_of(&source.syntax)).collect();
    for source in entry_points {
        let mut decisions = Decisions { own: own.clone(), ..Decisions::default() };
        decisions.visit_file(&source.syntax);
        for (_, span) in decisions.found.iter().filter(|(own, _)| *own == kind) {
            let code = source.lines[span.start().line - 1..span.end().line].join("\n");
            let is_known = EXCEPTIONS.iter().any(|(path, text)| source.path.starts_with(path) && code.contains(text));
            if !is_known {
                let first = code.lines().take(4).collect::<Vec<_>>().join("\n");
                breaches.push(format!("src/{}:{}: {}", source.path, span.start().line, first.trim_start()));
            }
        }
    }
    breaches
}

#[test]
fn entry_points_compare_no_states() {
    no_decision(
        Kind::State,
        "ask a method of the model (`key.acts().can_rotate`), or write a `match` over all variants",
    );
}

#[test]
fn flows_compare_no_states() {
    let mut breaches = decisions_of(is_flow, Kind::State);
    // Other enums are what a caller wants, a setting, or an answer.
    breaches.retain(|breach| breach.contains("State::"));
    none_of(breaches, WHY, "let an operation decide, and give what the slow work needs (`WaitingSignUp`)");
}

#[test]
fn entry_points_compare_no_limits() {
    no_decision(Kind::Limit, "let the operation refuse, or give what the page may offer (`ExpiryOffer`)");
}

#[test]
fn entry_points_compare_no_dates() {
    no_decision(Kind::Date, "ask a method of the model with `now` (`key.ends_soon(now)`)");
}

#[test]
fn entry_points_know_no_roles() {
    no_decision(Kind::Role, "let the operation check the role, and show what it gives");
}

#[test]
fn a_decision_would_be_noticed() {
    for code in [
        "let can_rotate = key.state == KeyState::Active;",
        "if matches!(mode, SignupMode::Closed) {}",
        "a || b != Period::Month",
        "let is_open =\n    key.state\n        == model::KeyState::Active;",
        "if let KeyState::Retiring = key.state {}",
        "if is_known && let Some(KeyState::Retiring { until }) = state {}",
        "while let KeyState::Retiring = next() {}",
        "let KeyState::Retiring { until } = key.state else { return };",
        "match key.state { KeyState::Active => 1, _ => 2 }",
        "match key.state { KeyState::Active if is_spent => 1, KeyState::Active => 2, KeyState::Revoked => 3 }",
        "match (key.state, is_known) { (KeyState::Active, true) => 1, _ => 2 }",
        "rows.filter(|key| key.state != KeyState::Active)",
    ] {
        assert_eq!(Decisions::of_code(code), [Kind::State], "{code}");
    }
    for code in [
        "match key.state { KeyState::Active => \"Active\", KeyState::Revoked => \"Revoked\" }",
        "let kind = ResourceKind::parse(text);",
        "if name == \"nginx\" {}",
        "if amount == Credits::ZERO {}",
        "match write() { Err(SigninError::Closed) => show(), other => other? }",
        "number(\"limit\", &query.limit, PAGE_ITEMS, PAGE_ITEMS_MAX)?",
        "page(number(PAGE_ITEMS_MAX) == 3)",
        "fn row(key: ApiKey, now: Timestamp) -> KeyRow { todo() }",
        "match typed { Some(text) if !text.is_empty() => text, _ => \"\" }",
    ] {
        assert_eq!(Decisions::of_code(code), [], "{code}");
    }
    for code in
        ["if emails.len() >= EMAILS_MAX {}", "overlap <= OVERLAP_MAX", "if emails.len()\n >= model::EMAILS_MAX {}"]
    {
        assert_eq!(Decisions::of_code(code), [Kind::Limit], "{code}");
    }
    for code in [
        "if expires_at <= now {}",
        "let a = app.now().since(proved_at) < step_up_after;",
        "key.end.since(now) < days(7)",
    ] {
        assert_eq!(Decisions::of_code(code), [Kind::Date], "{code}");
    }
    assert_eq!(Decisions::of_code("if is(Role::Admin) {}"), [Kind::Role]);
}

/// Statics that may change, each with the reason. The list may only shrink.
const CHANGING_STATICS: [(&str, &str); 8] = [
    // Threads belong to the process, and not to an appliance.
    ("threads.rs", "IS_ON_ALL_CORES"),
    ("threads.rs", "IS_PINNED"),
    // Connections of a thread, by the number of their store.
    ("db/pool.rs", "OWN"),
    ("db/store.rs", "NEXT_STORE"),
    // Counts the statements of a test's own thread.
    ("db/tx.rs", "STATEMENTS"),
    // How a thread is woken, whichever store answers it.
    ("db/answers.rs", "OWN_LISTS"),
    // Whether the work of the writer's thread has logged its panic.
    ("db/writer.rs", "HAS_LOGGED"),
    // Descriptors that must stay open as long as the process lives, because locks belong to the process.
    ("db/frozen.rs", "SOURCES"),
];

#[test]
fn no_static_changes() {
    // `OnceLock` and `LazyLock` are written once; what they have inside may not change either.
    let changing = ["Mutex", "RwLock", "Cell<", "Atomic", "Semaphore", "HashMap<"];
    let mut breaches = Vec::new();
    for source in sources() {
        breaches.extend(lines_where(&source, |line| {
            let Some((_, rest)) = line.trim_start().split_once("static ") else { return false };
            let is_static = line.trim_start().starts_with("static ") || line.trim_start().starts_with("pub");
            let is_constant = rest.contains("OnceLock<HashMap<");
            let is_known = CHANGING_STATICS
                .iter()
                .any(|(path, name)| source.path == *path && rest.starts_with(&format!("{name}:")));
            is_static && changing.iter().any(|word| rest.contains(word)) && !is_constant && !is_known
        }));
    }
    none_of(
        breaches,
        "two appliances in one process would share it, and a test could not have its own",
        "let the App own it: App::admit for rates, App::try_permit for work at once",
    );
}
