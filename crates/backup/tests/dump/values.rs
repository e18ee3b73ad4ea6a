//! Values that text likes to lose.

use std::process::Command;

use elpis_mysql::{Params, Value};

use crate::{checksums, database, dump, load, policy, run, server};

/// The stock tool prints a FLOAT with six digits. If this ever fails, it has learned better.
#[tokio::test(flavor = "multi_thread")]
async fn keeps_floats_that_the_stock_tool_loses() {
    let mut session = database(&server().options(), "floats").await;
    run(&mut session, "CREATE TABLE f (id INT PRIMARY KEY, f FLOAT)").await;
    run(
        &mut session,
        "INSERT INTO f VALUES (1, 16777218), (2, 1.1), (3, 3.14159274)",
    )
    .await;
    let before = checksums(&mut session, "floats").await;

    let stock = Command::new("mariadb-dump")
        .args(["--no-defaults", "--user=root", "--skip-dump-date", "floats"])
        .arg(format!("--socket={}", server().socket().display()))
        .output()
        .unwrap();
    let text = String::from_utf8(stock.stdout).unwrap();
    let plain = text
        .lines()
        .filter(|line| !line.contains("sandbox"))
        .collect::<Vec<_>>()
        .join("\n");
    database(&server().options(), "floats_stock").await;
    load(server(), "floats_stock", plain.as_bytes());
    assert_ne!(before, checksums(&mut session, "floats_stock").await);

    let (_, memory) = dump(&server().options(), policy("floats")).await;
    database(&server().options(), "floats_ours").await;
    load(server(), "floats_ours", &memory.text(0));
    assert_eq!(before, checksums(&mut session, "floats_ours").await);
}

/// Values nobody has thought of.
#[tokio::test(flavor = "multi_thread")]
async fn random_values_survive() {
    let mut session = database(&server().options(), "random").await;
    run(
        &mut session,
        "CREATE TABLE t (id INT PRIMARY KEY, s TEXT, b BLOB, d DOUBLE, f FLOAT, \
         n DECIMAL(40,12), t DATETIME(6), p TIME(6))",
    )
    .await;
    let rows = if std::env::var_os("ELPIS_SOAK").is_some() {
        200_000
    } else {
        3_000
    };
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    session.begin().await.unwrap();
    for id in 0..rows {
        let text: String = (0..random.usize(..40))
            .map(|_| match random.u8(..4) {
                0 => random.char(..'\u{80}'),
                1 => random
                    .choice("'\"\\;\n\r\0\u{1a}`-#/*%_,()".bytes())
                    .unwrap()
                    .into(),
                _ => random.char(..),
            })
            .collect();
        let bytes: Vec<u8> = (0..random.usize(..40)).map(|_| random.u8(..)).collect();
        let double = Some(f64::from_bits(random.u64(..))).filter(|number| number.is_finite());
        let float = Some(f32::from_bits(random.u32(..))).filter(|number| number.is_finite());
        let insert = format!(
            "INSERT INTO t VALUES (?, ?, ?, ?, ?, {}.{:012}, \
             '1000-01-01' + INTERVAL {} MICROSECOND, SEC_TO_TIME({} / 1000000))",
            random.i64(..),
            random.u64(..1_000_000_000_000),
            random.u64(..280_000_000_000_000_000),
            random.i64(-3_000_000_000_000..3_000_000_000_000),
        );
        let values: Vec<Value> = vec![
            id.into(),
            text.into(),
            bytes.into(),
            double.into(),
            float.into(),
        ];
        session
            .execute(&insert, Params::Positional(values))
            .await
            .unwrap();
    }
    session.commit().await.unwrap();
    let (report, memory) = dump(&server().options(), policy("random")).await;
    assert_eq!(report.databases[0].tables[0].rows, rows as u64);
    let mut copy = database(&server().options(), "random2").await;
    load(server(), "random2", &memory.text(0));
    assert_eq!(
        checksums(&mut session, "random").await,
        checksums(&mut copy, "random2").await
    );
}
