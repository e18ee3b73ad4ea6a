//! The prune planner against a second implementation that is slow and obvious.

use std::collections::BTreeSet;

use elpis_backup::archive::Container;
use elpis_backup::store::{Note, Stored, Verification};
use elpis_backup::{ArchiveName, KeepRules, PrunePlan};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use proptest::prelude::*;

const NOW: &str = "2026-11-21T12:00:00Z";

#[derive(Debug, Clone)]
struct Given {
    minutes_ago: i64,
    state: u8,
    pinned: bool,
}

fn stored(given: &Given, zone: &TimeZone) -> Stored {
    let now: Timestamp = NOW.parse().unwrap();
    let began = now.checked_sub(given.minutes_ago.minutes()).unwrap();
    let verified = |broken: Option<&str>| {
        Some(Verification {
            at: began,
            broken: broken.map(str::to_owned),
        })
    };
    Stored {
        name: ArchiveName::new("p", &began.to_zoned(zone.clone()), Container::TarGz),
        bytes: 1,
        note: Some(Note {
            sha256: String::new(),
            bytes: 1,
            began,
            profile: None,
            complete: None,
            verified: match given.state {
                0 => None,
                1 => verified(None),
                _ => verified(Some("cut off")),
            },
            pinned: given.pinned.then(|| "a reason".to_owned()),
            rehearsed: None,
        }),
    }
}

/// For every archive: is it the newest sound one of a period that is among the newest so many
/// periods that have one?
fn keeps(rules: &KeepRules, all: &[Stored], one: &Stored, zone: &TimeZone) -> bool {
    let now: Timestamp = NOW.parse().unwrap();
    let began = |archive: &Stored| archive.note.as_ref().unwrap().began;
    let note = one.note.as_ref().unwrap();
    if note.pinned.is_some() || began(one) > now {
        return true;
    }
    let past: Vec<&Stored> = all.iter().filter(|archive| began(archive) <= now).collect();
    let newest = |of: Vec<&&Stored>| of.iter().map(|archive| began(archive)).max();
    let verified = newest(
        past.iter()
            .filter(|archive| archive.is_verified())
            .collect(),
    );
    let sound = newest(past.iter().filter(|archive| !archive.is_broken()).collect());
    if (one.is_verified() && verified == Some(began(one)))
        || (!one.is_broken() && sound == Some(began(one)))
    {
        return true;
    }
    if one.is_broken() {
        return false;
    }
    let sound: Vec<&Stored> = past
        .into_iter()
        .filter(|archive| !archive.is_broken())
        .collect();
    type Period = fn(&Zoned) -> (i64, i64, i64, i64);
    let by: [(u32, Period); 6] = [
        (rules.last, |at| (at.timestamp().as_second(), 0, 0, 0)),
        (rules.hourly, |at| {
            (
                at.timestamp().as_second() - i64::from(at.minute()) * 60 - i64::from(at.second()),
                0,
                0,
                0,
            )
        }),
        (rules.daily, |at| {
            (at.year().into(), at.month().into(), at.day().into(), 0)
        }),
        (rules.weekly, |at| {
            let week = at.date().iso_week_date();
            (week.year().into(), week.week().into(), 0, 0)
        }),
        (rules.monthly, |at| {
            (at.year().into(), at.month().into(), 0, 0)
        }),
        (rules.yearly, |at| (at.year().into(), 0, 0, 0)),
    ];
    by.iter().any(|(count, period)| {
        let of = |archive: &Stored| period(&began(archive).to_zoned(zone.clone()));
        let filled: BTreeSet<_> = sound.iter().map(|archive| of(archive)).collect();
        let wanted: Vec<_> = filled.into_iter().rev().take(*count as usize).collect();
        let rival = sound
            .iter()
            .any(|other| of(other) == of(one) && began(other) > began(one));
        wanted.contains(&of(one)) && !rival
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("ELPIS_SOAK").is_some() { 5000 } else { 300 }))]

    #[test]
    fn the_plan_is_what_the_rules_say(
        given in prop::collection::btree_map(-2000i64..1_500_000, (0u8..3, prop::bool::weighted(0.05)), 0..60),
        counts in prop::array::uniform6(0u32..5),
        zone in prop::sample::select(vec!["UTC", "Europe/Madrid", "Asia/Kolkata", "America/New_York"]),
    ) {
        let [last, hourly, daily, weekly, monthly, yearly] = counts;
        let rules = KeepRules { last, hourly, daily, weekly, monthly, yearly };
        let zone = TimeZone::get(zone).unwrap();
        let archives: Vec<Stored> = given
            .iter()
            .map(|(minutes_ago, (state, pinned))| {
                stored(&Given { minutes_ago: *minutes_ago, state: *state, pinned: *pinned }, &zone)
            })
            .collect();
        let plan = PrunePlan::new(&rules, &archives, NOW.parse().unwrap(), &zone);
        if rules == KeepRules::default() {
            prop_assert!(plan.is_err());
            return Ok(());
        }
        let plan = plan.unwrap();
        prop_assert_eq!(plan.archives.len(), archives.len());
        for archive in &archives {
            let began = archive.note.as_ref().unwrap().began;
            let decision = plan.archives.iter().find(|d| d.began == began).unwrap();
            let expected = keeps(&rules, &archives, archive, &zone);
            prop_assert_eq!(!decision.keep.is_empty(), expected, "{:?}", decision);
        }
        let newest_first = plan.archives.windows(2).all(|pair| pair[0].began >= pair[1].began);
        prop_assert!(newest_first);
    }
}

fn plan(rules: KeepRules, given: &[Given], zone: &str) -> Vec<String> {
    let zone = TimeZone::get(zone).unwrap();
    let archives: Vec<Stored> = given.iter().map(|given| stored(given, &zone)).collect();
    let plan = PrunePlan::new(&rules, &archives, NOW.parse().unwrap(), &zone).unwrap();
    let lines = plan.archives.iter().map(|decision| {
        let keep = if decision.keep.is_empty() {
            "-".to_owned()
        } else {
            decision.keep.join(", ")
        };
        format!("{} {keep}", decision.name)
    });
    lines.collect()
}

#[test]
fn a_plan_reads_like_reasons() {
    let given = |minutes_ago, state, pinned| Given {
        minutes_ago,
        state,
        pinned,
    };
    let day = 24 * 60;
    let rules = KeepRules {
        daily: 2,
        monthly: 2,
        ..KeepRules::default()
    };
    let lines = plan(
        rules,
        &[
            given(60, 2, false),
            given(120, 0, false),
            given(300, 1, false),
            given(day, 0, false),
            given(2 * day, 0, false),
            given(3 * day, 0, true),
            given(30 * day, 0, false),
        ],
        "UTC",
    );
    assert_eq!(
        lines,
        [
            "p_backup_2026-11-21-11-00-00.tar.gz -",
            "p_backup_2026-11-21-10-00-00.tar.gz newest, daily 2026-11-21, monthly 2026-11",
            "p_backup_2026-11-21-07-00-00.tar.gz newest verified",
            "p_backup_2026-11-20-12-00-00.tar.gz daily 2026-11-20",
            "p_backup_2026-11-19-12-00-00.tar.gz -",
            "p_backup_2026-11-18-12-00-00.tar.gz pinned: a reason",
            "p_backup_2026-10-22-12-00-00.tar.gz monthly 2026-10",
        ]
    );
}

#[test]
fn the_newest_verified_one_stays_whatever_is_newer() {
    let rules = KeepRules {
        last: 1,
        ..KeepRules::default()
    };
    let mut given: Vec<Given> = (0..50)
        .map(|hours| Given {
            minutes_ago: hours * 60,
            state: if hours % 2 == 0 { 0 } else { 2 },
            pinned: false,
        })
        .collect();
    given.push(Given {
        minutes_ago: 100_000,
        state: 1,
        pinned: false,
    });
    let kept: Vec<String> = plan(rules, &given, "UTC")
        .into_iter()
        .filter(|line| !line.ends_with(" -"))
        .collect();
    assert_eq!(kept.len(), 2);
    assert!(kept[1].ends_with("newest verified"), "{kept:?}");
}
