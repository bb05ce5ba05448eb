//! The transactions of a wallet, by when they happened.

use domicile::billing::transactions::{self, DOWNLOAD_MAX, TransactionFilter, TransactionPage};

use super::*;

impl Site {
    fn transactions(&mut self, workspace: WorkspaceId, filter: &TransactionFilter) -> TransactionPage {
        self.read(|tx| transactions::list(tx, workspace, filter).unwrap())
    }
}

fn details(page: &TransactionPage) -> Vec<&str> {
    page.rows.iter().map(|row| row.line.details.as_str()).collect()
}

#[test]
fn lines_of_one_moment_are_on_one_page_each_whatever_the_size() {
    let mut site = site();
    let workspace = site.workspace("orchard").id;
    for number in 0..7 {
        let at = Timestamp::parse(START).unwrap().minus(hours(number / 3));
        let charge = Charge { occurred_at: Some(at), ..charge_of(workspace, micro(1), &format!("use {number}")) };
        site.charge(Charge { details: number.to_string(), ..charge }).unwrap();
    }
    for limit in 1..9 {
        let mut filter = TransactionFilter { limit, ..TransactionFilter::default() };
        let mut seen = Vec::new();
        loop {
            let page = site.transactions(workspace, &filter);
            seen.extend(details(&page).into_iter().map(str::to_owned));
            let Some(next) = page.next else { break };
            assert_eq!(page.rows.len(), limit);
            filter.after = ledger::Place::parse(&next.to_string());
        }
        assert_eq!(seen, ["2", "1", "0", "5", "4", "3", "6"], "{limit}");
    }
}

#[test]
fn a_search_reads_a_bounded_number_of_lines_and_goes_on_where_it_stopped() {
    let mut site = site();
    let workspace = site.workspace("orchard").id;
    site.grant(Grant { details: "The needle".into(), ..gift(workspace, Credits::whole(1), "needle") }).unwrap();
    site.clock.advance(hours(1));
    site.write(|tx| {
        for number in 0..6_000 {
            ledger::grant(tx, &Actor::Operator, gift(workspace, micro(1), &format!("hay {number}")))?;
        }
        Ok::<_, LedgerError>(())
    })
    .unwrap();
    let mut filter = TransactionFilter { search: "NEEDLE".into(), limit: 20, ..TransactionFilter::default() };

    let first = site.transactions(workspace, &filter);
    assert!(first.rows.is_empty() && first.is_cut, "{first:?}");
    filter.after = first.next;
    let second = site.transactions(workspace, &filter);
    assert_eq!((details(&second), second.is_cut), (vec!["The needle"], false));
    let download = TransactionFilter { limit: DOWNLOAD_MAX + 1, after: None, ..filter };
    assert_eq!(details(&site.transactions(workspace, &download)), ["The needle"]);
    let all = TransactionFilter { limit: usize::MAX, ..TransactionFilter::default() };
    assert_eq!(site.transactions(workspace, &all).rows.len(), 6_001);
}

#[test]
fn a_page_uses_the_index_and_no_line_of_another_wallet() {
    let site = site();
    let statement = ledger::statement::STATEMENTS.iter().find(|sql| sql.contains("after_seq")).unwrap();
    let mut plan = site.connection.prepare(&format!("explain query plan {statement}")).unwrap();
    let plan: Vec<String> = plan.raw_query().mapped(|row| row.get(3)).map(Result::unwrap).collect();
    assert!(
        plan.iter().any(|step| step.contains("statement_line_by_event (workspace_id=? AND <expr>>? AND <expr><?)")),
        "{plan:?}"
    );
    assert!(plan.iter().all(|step| !step.starts_with("SCAN statement_line")), "{plan:?}");
    let sorts = plan.iter().filter(|step| step.contains("TEMP B-TREE")).count();
    assert!(sorts <= 1, "only the lines of the page are sorted: {plan:?}");
}

#[test]
fn a_charge_has_the_key_if_all_its_events_have_it() {
    let mut site = site();
    let ada = site.person("ada-l");
    let keys = ["one", "two"].map(|name| site.api_key(&ada, name, &["read"]).key.id);
    let at = Timestamp::parse(START).unwrap();
    let mut report = |name: &str, given: &[Option<usize>]| {
        let events: Vec<_> = given
            .iter()
            .enumerate()
            .map(|(n, key)| {
                let event = UsageBuilder::new(ada.workspace, &format!("{name}-{n}"), at).quantity("10");
                Ok(event.key(key.map(|key| keys[key])).build())
            })
            .collect();
        site.report(&events);
        let page = site.transactions(ada.workspace, &TransactionFilter { limit: 1, ..TransactionFilter::default() });
        (page.rows[0].line.key, page.rows[0].key.clone())
    };

    assert_eq!(report("all", &[Some(0), Some(0)]), (Some(keys[0]), "one".to_owned()));
    assert_eq!(report("other", &[Some(1)]), (Some(keys[1]), "two".to_owned()));
    for mixed in [[Some(0), Some(1), Some(0)], [None, Some(0), Some(0)], [Some(0), None, Some(0)]] {
        assert_eq!(report(&format!("{mixed:?}"), &mixed), (None, String::new()), "{mixed:?}");
    }
}
