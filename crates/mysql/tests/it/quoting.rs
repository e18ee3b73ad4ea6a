use elpis_mysql::{Params, quote};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::sync::Mutex;

use crate::{run, session};

#[test]
fn any_name_that_is_accepted_comes_back_as_it_was() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let session = Mutex::new(runtime.block_on(session()));
    runtime.block_on(async { run(&mut *session.lock().await, "CREATE DATABASE quoting").await });
    let name = prop_oneof![
        "[ -~]{1,64}",
        "[`'\"\\\\.%/ a]{1,20}",
        "[äßЖ中 a`]{1,64}",
        "\\PC{1,64}"
    ];
    let mut runner = TestRunner::new(ProptestConfig::with_cases(40));
    runner
        .run(&name, |name| {
            let Ok(quoted) = quote(&name) else {
                return Ok(());
            };
            let found: String = runtime.block_on(async {
                let mut session = session.lock().await;
                let create = format!("CREATE TABLE quoting.{quoted} ({quoted} INT)");
                run(&mut session, &create).await;
                let names: Vec<(String, String)> = session
                    .rows(
                        "SELECT table_name, column_name FROM information_schema.columns \
                         WHERE table_schema = 'quoting'",
                        Params::Empty,
                    )
                    .await
                    .unwrap();
                run(&mut session, &format!("DROP TABLE quoting.{quoted}")).await;
                assert_eq!(names.len(), 1);
                assert_eq!(names[0].0, names[0].1);
                names[0].0.clone()
            });
            prop_assert_eq!(found, name);
            Ok(())
        })
        .unwrap();
}
