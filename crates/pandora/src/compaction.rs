//! The product's module types as kinds of series, and its settings as a rule of compaction.

use std::collections::BTreeMap;

use elpis_maint_core::{
    Exception, Filter, Kind, Kinds, Mode, Scalar, SeriesList, SeriesRule, Test, Tier, TimeUnit,
};

use crate::server::{Installation, ModuleType};
use crate::tokens::CompactionSettings;

/// Types that hold states, which the product itself never compacts: booleans and keep-alive.
const STATES: [i64; 8] = [2, 6, 9, 18, 21, 31, 35, 100];
/// Types whose data are texts, and live in another table.
const TEXTS: [i64; 7] = [3, 10, 17, 23, 33, 36, 38];
/// Types of numbers whose names have no ending.
const BARE: [&str; 4] = ["remote_icmp", "remote_tcp", "remote_snmp", "remote_cmd"];

/// What the numbers of a module type mean; `None` for what is never compacted: states, texts,
/// events (asynchronous data), and types that only their maker knows.
pub fn kind(module_type: &ModuleType) -> Option<Kind> {
    let ModuleType { id, name } = module_type;
    let name = name.trim().to_ascii_lowercase();
    if STATES.contains(id) || TEXTS.contains(id) || name.starts_with("async") {
        return None;
    }
    if name.ends_with("_inc_abs") {
        Some(Kind::Delta)
    } else if name.ends_with("_inc") {
        Some(Kind::Rate)
    } else if name.ends_with("_data") || BARE.contains(&name.as_str()) {
        Some(Kind::Gauge)
    } else {
        None
    }
}

/// The rule for `tagente_datos`; `None` if compaction is off or no type of module is known.
///
/// Only the envelope is kept (first, lowest, highest and last real row), so that the console draws
/// what it drew; deltas, whose sums it would lose, stay as they are. So do modules that a report on
/// service levels names, and those without history.
pub fn series_rule(
    settings: CompactionSettings,
    installation: &Installation,
) -> Option<SeriesRule> {
    let types: BTreeMap<i64, Kind> = installation
        .module_types
        .iter()
        .filter_map(|found| Some((found.id, kind(found)?)))
        .collect();
    if types.values().all(|kind| !kind.fits(Mode::Envelope)) {
        return None;
    }
    let kinds = Kinds::Lookup {
        table: "tagente_modulo".to_owned(),
        key: "id_agente_modulo".to_owned(),
        column: "id_tipo_modulo".to_owned(),
        types,
        except: exceptions(installation),
    };
    rule(settings, kinds)
}

/// The same for `tagente_datos` of a history database, which has no modules: `modules` are those
/// that the main database would compact. Values of any other module stay as they are, above all of
/// modules that are gone, whose values may have been states.
///
/// `None` if compaction is off there.
pub fn history_series_rule(
    settings: CompactionSettings,
    modules: SeriesList,
) -> Option<SeriesRule> {
    rule(settings, Kinds::Listed(modules))
}

fn rule(settings: CompactionSettings, kinds: Kinds) -> Option<SeriesRule> {
    Some(SeriesRule {
        table: "tagente_datos".to_owned(),
        series_column: "id_agente_modulo".to_owned(),
        value_column: "datos".to_owned(),
        time_column: "utimestamp".to_owned(),
        unit: TimeUnit::EpochSeconds,
        kinds,
        mode: Mode::Envelope,
        tiers: vec![Tier {
            older_than_days: settings.days?,
            bucket_hours: settings.step_hours,
        }],
        rollup: false,
        max_mean_shift: None,
    })
}

fn exceptions(installation: &Installation) -> Vec<Exception> {
    let in_reports = installation.sla_columns.iter().map(|column| Exception {
        table: "treport_content_sla_combined".to_owned(),
        column: column.clone(),
        filters: Vec::new(),
    });
    let without_history = installation.has_history_flag.then(|| Exception {
        table: "tagente_modulo".to_owned(),
        column: "id_agente_modulo".to_owned(),
        filters: vec![Filter {
            column: "history_data".to_owned(),
            test: Test::Compare("=", Scalar::Int(0)),
        }],
    });
    in_reports.chain(without_history).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(id: i64, name: &str) -> Option<Kind> {
        kind(&ModuleType {
            id,
            name: name.to_owned(),
        })
    }

    #[test]
    fn the_products_types_are_what_their_numbers_mean() {
        for (id, name) in [
            (1, "generic_data"),
            (7, "remote_icmp"),
            (8, "remote_tcp"),
            (15, "remote_snmp"),
            (30, "web_data"),
            (32, "web_content_data"),
            (34, "remote_cmd"),
        ] {
            assert_eq!(of(id, name), Some(Kind::Gauge), "{name}");
        }
        for (id, name) in [
            (4, "generic_data_inc"),
            (11, "remote_tcp_inc"),
            (16, "remote_snmp_inc"),
            (37, "remote_cmd_inc"),
        ] {
            assert_eq!(of(id, name), Some(Kind::Rate), "{name}");
        }
        assert_eq!(of(5, "generic_data_inc_abs"), Some(Kind::Delta));
    }

    #[test]
    fn states_texts_events_and_unknown_types_are_left_alone() {
        for (id, name) in [
            (2, "generic_proc"),
            (6, "remote_icmp_proc"),
            (21, "async_proc"),
            (22, "async_data"),
            (23, "async_string"),
            (33, "web_content_string"),
            (38, "web_server_status_code_string"),
            (100, "keep_alive"),
            // A custom type is known by its name, as the console knows it.
            (200, "custom_proc"),
            (201, "my_own"),
            (24, "log4x"),
            // A type whose number says state, whatever its name.
            (18, "renamed_data"),
        ] {
            assert_eq!(of(id, name), None, "{name}");
        }
    }

    fn installation() -> Installation {
        let types = [
            (1, "generic_data"),
            (2, "generic_proc"),
            (5, "generic_data_inc_abs"),
        ];
        Installation {
            module_types: types
                .map(|(id, name)| ModuleType {
                    id,
                    name: name.to_owned(),
                })
                .to_vec(),
            sla_columns: vec![
                "id_agent_module".to_owned(),
                "id_agent_module_failover".to_owned(),
            ],
            has_history_flag: true,
            ..Installation::default()
        }
    }

    #[test]
    fn the_settings_become_a_rule_with_its_exceptions() {
        let on = CompactionSettings {
            days: Some(20),
            step_hours: 6,
        };
        let rule = series_rule(on, &installation()).unwrap();
        assert_eq!(
            rule.tiers,
            [Tier {
                older_than_days: 20,
                bucket_hours: 6
            }]
        );
        let Kinds::Lookup { types, except, .. } = rule.kinds else {
            panic!("{:?}", rule.kinds);
        };
        assert_eq!(types, BTreeMap::from([(1, Kind::Gauge), (5, Kind::Delta)]));
        let named: Vec<&str> = except.iter().map(|except| except.column.as_str()).collect();
        assert_eq!(
            named,
            [
                "id_agent_module",
                "id_agent_module_failover",
                "id_agente_modulo"
            ]
        );
    }

    #[test]
    fn nothing_is_compacted_where_it_is_off_or_no_type_is_known() {
        let off = CompactionSettings {
            days: None,
            step_hours: 1,
        };
        assert_eq!(series_rule(off, &installation()), None);
        let on = CompactionSettings {
            days: Some(1),
            ..off
        };
        let unknown = Installation {
            module_types: Vec::new(),
            ..installation()
        };
        assert_eq!(series_rule(on, &unknown), None);
    }
}
