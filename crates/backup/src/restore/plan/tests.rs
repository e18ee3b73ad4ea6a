use super::*;
use crate::archive::Product;
use crate::restore::facts::LiveFacts;
use crate::restore::survey::survey;
use crate::restore::views::ViewNeeds;
use elpis_run::StopToken;

const NOW: &str = "2026-11-21T19:00:00Z";

fn facts() -> RestoreFacts {
    RestoreFacts {
        target: "h:1".into(),
        version_text: "10.11.19-MariaDB".into(),
        is_mariadb: true,
        version: (10, 11, 19),
        max_allowed_packet: 16 << 20,
        replica_of: None,
        read_only: false,
        free: Some(u64::MAX),
        live: Some(LiveFacts {
            charset: "utf8mb4".into(),
            collation: "utf8mb4_general_ci".into(),
            tables: ["a", "extra"].map(str::to_owned).into(),
            versioned: BTreeSet::new(),
            bytes: 0,
            users: Vec::new(),
            foreign: Vec::new(),
            references: BTreeSet::new(),
            triggers: Default::default(),
            views: BTreeSet::new(),
            broken: BTreeSet::new(),
            unreadable: BTreeSet::new(),
            definers: BTreeSet::new(),
        }),
        databases: BTreeSet::new(),
        unknown_collations: BTreeSet::new(),
        missing_definers: Some(BTreeSet::new()),
        lost: BTreeSet::new(),
        missing: Vec::new(),
        stops_services: false,
        sees_users: true,
        rows: None,
    }
}

fn text() -> Survey {
    let sql = "-- Elpis dump 1\n-- Server version: 10.11.18-MariaDB-log\nCREATE TABLE a (x int);\n\
               INSERT INTO a VALUES (1);\nCREATE TABLE b (x int REFERENCES a (x));\n-- Dump completed";
    survey(sql.as_bytes(), &StopToken::new(), &()).unwrap()
}

fn policy() -> RestorePolicy {
    let mut policy = RestorePolicy::new("pandora");
    policy.defer_from = 0;
    policy
}

fn plan(policy: &RestorePolicy, facts: &RestoreFacts, survey: &Survey) -> RestorePlan {
    RestorePlan::new(policy, facts, survey, NOW.parse().unwrap())
}

#[test]
fn a_plan_names_what_it_does() {
    let plan = plan(&policy(), &facts(), &text());
    assert_eq!(plan.refusals, []);
    assert_eq!(plan.warnings, [""; 0]);
    assert_eq!(plan.leaving, BTreeSet::from(["extra".to_owned()]));
    assert_eq!(plan.side, "pandora__elpis_restore_mwqrvts0");
    // Others refer to an index of `a`.
    let deferred: Vec<bool> = plan.tables.iter().map(|table| table.deferred).collect();
    assert_eq!(deferred, [false, true]);
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<RestorePlan>(&json).unwrap(), plan);
}

fn view(survey: &mut Survey, name: &str, reads: &[(Option<&str>, &str)], definer: Option<&str>) {
    let reads = reads
        .iter()
        .map(|(database, name)| (database.map(str::to_owned), (*name).to_owned()));
    let needs = ViewNeeds {
        reads: reads.collect(),
        calls: BTreeSet::new(),
        definer: definer.map(str::to_owned),
    };
    survey.views.insert(name.to_owned());
    survey.view_needs.insert(name.to_owned(), needs);
}

#[test]
fn what_stands_on_lost_ground_is_left_out_and_nothing_else() {
    let (mut facts, mut survey, mut policy) = (facts(), text(), policy());
    view(&mut survey, "of_lost", &[(Some("o"), "t")], None);
    view(&mut survey, "on_of_lost", &[(None, "of_lost")], None);
    view(
        &mut survey,
        "of_there",
        &[(Some("o"), "u"), (None, "a")],
        None,
    );
    view(&mut survey, "by_gone", &[(None, "a")], Some("gone@h"));
    facts.lost = ["o.t".to_owned()].into();
    facts.missing_definers = Some(["gone@h".to_owned()].into());
    policy.accept = [Accept::Views].into();
    let plan = plan(&policy, &facts, &survey);
    assert_eq!(plan.refusals, []);
    let left: Vec<&String> = plan.left_out.keys().collect();
    assert_eq!(left, ["of_lost", "on_of_lost"]);
    assert_eq!(plan.views, 2);
    let warned = |view: &str| {
        let begin = format!("view {view} is left out: ");
        plan.warnings
            .iter()
            .any(|warning| warning.starts_with(&begin))
    };
    assert!(warned("of_lost") && warned("on_of_lost") && !warned("by_gone"));
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<RestorePlan>(&json).unwrap(), plan);
}

#[test]
fn every_difference_is_refused_and_taken_by_its_name() {
    type Change = fn(&mut RestorePolicy, &mut RestoreFacts, &mut Survey);
    let changes: [(Option<Accept>, Change); 21] = [
        (Some(Accept::Views), |_, facts, survey| {
            view(survey, "v", &[(Some("o"), "t")], None);
            facts.lost = ["o.t".to_owned()].into();
        }),
        // One that stands on it goes with it; one whose own definer is lost comes.
        (Some(Accept::Views), |_, facts, survey| {
            view(survey, "a", &[(None, "v")], None);
            view(survey, "b", &[(None, "a"), (None, "t")], None);
            view(survey, "v", &[(None, "t")], Some("gone@h"));
            facts.missing_definers = Some(["gone@h".to_owned()].into());
        }),
        (Some(Accept::Views), |_, facts, survey| {
            view(survey, "v", &[], None);
            let needs = survey.view_needs.get_mut("v").unwrap();
            needs.calls.insert((None, "f".to_owned()));
            survey.routine_definers = [("f".to_owned(), "gone@h".to_owned())].into();
            facts.missing_definers = Some(["gone@h".to_owned()].into());
        }),
        (Some(Accept::Schema), |policy, _, survey| {
            policy.installed = Product {
                schema: Some("2".into()),
                ..Product::default()
            };
            survey.product.schema = Some("1".into());
        }),
        (Some(Accept::Server), |_, facts, _| {
            facts.version = (10, 10, 9)
        }),
        (Some(Accept::Server), |_, facts, _| {
            facts.is_mariadb = false;
            facts.version = (12, 0, 0);
        }),
        (Some(Accept::Charset), |_, _, survey| {
            survey.charset = Some(("latin1".into(), "latin1_swedish_ci".into()));
        }),
        (None, |_, facts, _| {
            facts.unknown_collations = ["x".to_owned()].into()
        }),
        (Some(Accept::Replica), |_, facts, _| {
            facts.replica_of = Some("p:3306".into())
        }),
        (Some(Accept::Replica), |_, facts, _| facts.read_only = true),
        (Some(Accept::Writers), |_, facts, _| {
            facts.live.as_mut().unwrap().users = vec!["u@h".into()];
        }),
        (Some(Accept::Space), |_, facts, _| {
            facts.free = Some(RESERVE)
        }),
        (None, |_, facts, survey| {
            survey.longest_statement = facts.max_allowed_packet
        }),
        (None, |_, facts, _| {
            facts.missing = vec!["DROP ON x, y".into()]
        }),
        (None, |_, facts, _| {
            facts.live.as_mut().unwrap().foreign = vec!["x.y.z".into()]
        }),
        (None, |_, _, survey| survey.tables[0].uses_sequence = true),
        (None, |_, facts, _| {
            facts.databases = ["pandora__elpis_old_mwqrvts0".to_owned()].into();
        }),
        (None, |policy, _, _| policy.database = "mysql".into()),
        (None, |policy, _, _| policy.sessions = 0),
        (None, |policy, _, _| policy.chunk_bytes = 1),
        (None, |policy, _, _| policy.lock_tries = 0),
    ];
    for (accept, change) in changes {
        let (mut policy, mut facts, mut survey) = (policy(), facts(), text());
        change(&mut policy, &mut facts, &mut survey);
        let refused = plan(&policy, &facts, &survey).refusals;
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert_eq!(refused[0].accept, accept, "{refused:?}");
        policy.accept = accept.map_or_else(|| Accept::ALL.into(), |accept| [accept].into());
        let left = plan(&policy, &facts, &survey).refusals.len();
        assert_eq!(left, usize::from(accept.is_none()));
    }
    let old = RestoreFacts {
        version: (10, 5, 20),
        ..facts()
    };
    let refused = plan(&policy(), &old, &text()).refusals;
    let accepts: Vec<_> = refused.iter().map(|refusal| refusal.accept).collect();
    assert_eq!(accepts, [Some(Accept::Server), Some(Accept::NonAtomic)]);
}

#[test]
fn services_that_are_stopped_answer_for_their_connections() {
    let mut facts = facts();
    facts.live.as_mut().unwrap().users = vec!["u@h".into()];
    facts.stops_services = true;
    assert_eq!(plan(&policy(), &facts, &text()).refusals, []);
}

#[test]
fn the_fingerprint_follows_what_matters() {
    let first = plan(&policy(), &facts(), &text()).fingerprint();
    let later = RestorePlan::new(
        &policy(),
        &facts(),
        &text(),
        NOW.parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_secs(99),
    );
    assert_eq!(later.fingerprint(), first);
    let mut other = facts();
    other.live.as_mut().unwrap().tables.insert("more".into());
    assert_ne!(plan(&policy(), &other, &text()).fingerprint(), first);
}

#[test]
fn a_history_of_rows_that_no_backup_has_is_told_of() {
    let mut facts = facts();
    let live = facts.live.as_mut().unwrap();
    live.versioned = ["a", "extra"].map(str::to_owned).into();
    let told = |plan: &RestorePlan| -> Vec<String> {
        let warnings = plan.warnings.iter();
        let told = warnings.filter(|said| said.contains("history of its rows"));
        told.cloned().collect()
    };
    let whole = plan(&policy(), &facts, &text());
    let [said] = told(&whole).try_into().unwrap();
    // What the text does not have goes as it is.
    assert!(
        said.contains("table a ") && said.contains(&whole.old),
        "{said}"
    );
    let mut policy = policy();
    policy.scope = crate::restore::Scope::Tables(["b".to_owned()].into());
    assert_eq!(told(&plan(&policy, &facts, &text())), [""; 0]);
}
