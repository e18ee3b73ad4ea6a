use super::purge::{delete, due_edge, due_keys, times};
use super::*;
use crate::{Cascade, Due, Filter, Test};

fn task(walk: Walk) -> PurgeTask {
    PurgeTask {
        table: "t`\"x".to_owned(),
        due: Due {
            time_column: "at".to_owned(),
            cutoff: Scalar::Int(100),
            filters: vec![
                Filter {
                    column: "s".to_owned(),
                    test: Test::NotIn(vec![1.into(), 2.into()]),
                },
                Filter {
                    column: "u".to_owned(),
                    test: Test::IsNotNull,
                },
            ],
            where_sql: Some("a = 1 OR b = 2".to_owned()),
        },
        walk,
        cascades: vec![Cascade {
            table: "c".to_owned(),
            column: "p".to_owned(),
            parent_column: "id".to_owned(),
            own: Some(Due {
                time_column: "at".to_owned(),
                cutoff: Scalar::Int(50),
                filters: Vec::new(),
                where_sql: None,
            }),
            cascades: vec![Cascade {
                table: "g".to_owned(),
                column: "c".to_owned(),
                parent_column: "id".to_owned(),
                own: None,
                cascades: Vec::new(),
            }],
        }],
    }
}

fn along_time() -> PurgeTask {
    task(Walk::Time {
        index: "i".to_owned(),
        then: vec![],
    })
}

fn along_key() -> PurgeTask {
    task(Walk::Key {
        columns: vec!["a".to_owned(), "b".to_owned()],
    })
}

fn show(into: &mut Vec<String>, sql: Sql) {
    into.push(format!("{}\n  {:?}", sql.text, sql.params));
}

/// Every statement there is, in both dialects: names are quoted, values are parameters.
#[test]
fn statements() {
    let from = Position::at(vec![7.into()], true);
    let to = [Scalar::Int(9)];
    let time = Stretch {
        from: Some(&from),
        to: Some(&to),
    };
    let key_from = Position::at(vec![1.into(), "k".into()], false);
    let key_to = [Scalar::Int(3), "z".into()];
    let key = Stretch {
        from: Some(&key_from),
        to: Some(&key_to),
    };
    let mut all = Vec::new();
    for dialect in [Dialect::MySql, Dialect::Sqlite] {
        all.push(format!("-- {dialect:?}"));
        for (task, stretch) in [(along_time(), time), (along_key(), key)] {
            show(
                &mut all,
                boundary(dialect, &task, stretch.from, 500, true).unwrap(),
            );
            show(
                &mut all,
                boundary(dialect, &task, None, 500, false).unwrap(),
            );
            show(&mut all, delete(dialect, &task, stretch, 500).unwrap());
            show(&mut all, count(dialect, &task, stretch).unwrap());
            show(&mut all, span(dialect, &task, stretch).unwrap());
            show(&mut all, due_edge(dialect, &task, stretch, true).unwrap());
            show(
                &mut all,
                due_keys(dialect, &task, "id", stretch, 500).unwrap(),
            );
            show(&mut all, edge(dialect, &task, true).unwrap());
            show(&mut all, quick_due(dialect, &task, 500).unwrap());
            for count in count_cascaded(dialect, &task, stretch).unwrap() {
                show(&mut all, count);
            }
        }
        show(
            &mut all,
            times(dialect, &along_time(), Some(&from), 500).unwrap(),
        );
        show(&mut all, untimed(dialect, &along_time()).unwrap());
        show(&mut all, one_side(dialect, &along_time(), " >= ").unwrap());
        let (place, below) = (("t", "at"), Scalar::Int(50));
        show(&mut all, nth_below(dialect, place, None, 10).unwrap());
        show(
            &mut all,
            nth_below(dialect, place, Some(&below), 10).unwrap(),
        );
        show(
            &mut all,
            count_below(dialect, place, Some(&below), &Scalar::Int(40)).unwrap(),
        );
        let keys = [Scalar::Int(1), Scalar::Int(2)];
        show(
            &mut all,
            child_keys(dialect, ("c", "p"), "id", &keys, 500).unwrap(),
        );
        show(
            &mut all,
            delete_keys(dialect, "c", "p", &keys, 500).unwrap(),
        );
    }
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn an_empty_position_is_the_beginning() {
    let beginning = Position::beginning();
    let whole = Stretch {
        from: None,
        to: None,
    };
    let from = Stretch {
        from: Some(&beginning),
        to: None,
    };
    let task = along_key();
    for dialect in [Dialect::MySql, Dialect::Sqlite] {
        let texts = [whole, from].map(|stretch| count(dialect, &task, stretch).unwrap().text);
        assert_eq!(texts[0], texts[1]);
    }
}

#[cfg(feature = "mysql")]
#[test]
fn a_name_that_cannot_be_quoted_is_an_error() {
    let mut task = along_time();
    task.table = "nul\0".to_owned();
    assert!(
        delete(
            Dialect::MySql,
            &task,
            Stretch {
                from: None,
                to: None
            },
            1
        )
        .is_err()
    );
}
