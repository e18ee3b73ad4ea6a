//! Whether a table of the history database can hold every row of the active one. Pure.
//!
//! This is for a clear word before the first row moves. What it lets through is still proven: the
//! history side refuses values that do not fit, and every row is read back and compared.

use crate::store::MoveColumn;

/// How a table's columns are carried over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fit {
    /// The columns that both sides have, in the active side's order.
    pub(super) columns: Vec<String>,
    /// Those that only the active side has.
    pub(super) lost: Vec<String>,
}

/// # Errors
/// Why rows cannot move, in words that follow `table …`.
pub(super) fn fit(here: &[MoveColumn], there: &[MoveColumn]) -> Result<Fit, String> {
    if here.is_empty() {
        return Err("does not exist".to_owned());
    }
    if there.is_empty() {
        return Err(
            "does not exist in the history database: create the product's schema there".to_owned(),
        );
    }
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    let mut fit = Fit {
        columns: Vec::new(),
        lost: Vec::new(),
    };
    for column in here.iter().filter(|column| !column.is_generated) {
        let name = &column.name;
        match there.iter().find(|other| same(&other.name, name)) {
            None if column.has_default && !column.is_numbered => fit.lost.push(name.clone()),
            None => {
                return Err(format!(
                    "has a column {name}, which the history database lacks: bring its schema up to \
                     the same version"
                ));
            }
            Some(other) if other.is_generated || !holds(column, other) => {
                return Err(format!(
                    "has a column {name} of type {}, whose values do not all fit the history \
                     database's {}",
                    typed(column),
                    typed(other)
                ));
            }
            Some(_) => fit.columns.push(name.clone()),
        }
    }
    let known = |other: &&MoveColumn| here.iter().any(|column| same(&column.name, &other.name));
    let mut others = there.iter().filter(|other| !known(other));
    let needed =
        others.find(|other| !(other.has_default || other.is_generated || other.is_numbered));
    match needed {
        Some(other) => Err(format!(
            "lacks the column {} of the history database, which has no default there",
            other.name
        )),
        None => Ok(fit),
    }
}

fn typed(column: &MoveColumn) -> String {
    match &column.charset {
        Some(charset) => format!("{} in {charset}", column.declared),
        None => column.declared.clone(),
    }
}

fn holds(here: &MoveColumn, there: &MoveColumn) -> bool {
    let (a, b) = (Type::of(&here.declared), Type::of(&there.declared));
    let charset = match (&here.charset, &there.charset) {
        (Some(here), Some(there)) => reads(here, there),
        (here, there) => here == there,
    };
    let values = match (a.whole(), b.whole()) {
        (Some((low, high)), Some((least, most))) => least <= low && high <= most,
        (None, None) => match (a.capacity(), b.capacity()) {
            (Some(a), Some(b)) => a <= b,
            (None, None) => a == b || a.base == "float" && b.base == "double" || a.begins(&b),
            _ => false,
        },
        _ => false,
    };
    charset && values
}

/// Whether every character of `here` is one of `there`.
fn reads(here: &str, there: &str) -> bool {
    let utf8 = |name: &str| name == "utf8" || name == "utf8mb3";
    here == there
        || there == "utf8mb4"
        || here == "ascii"
        || utf8(here) && utf8(there)
        || here == "latin1" && utf8(there)
}

#[derive(Debug, PartialEq, Eq)]
struct Type<'a> {
    base: &'a str,
    args: &'a str,
    rest: &'a str,
}

impl<'a> Type<'a> {
    fn of(declared: &'a str) -> Type<'a> {
        let declared = declared.trim();
        let (base, rest) = match declared.find(['(', ' ']) {
            Some(at) => declared.split_at(at),
            None => (declared, ""),
        };
        let (args, rest) = match rest.strip_prefix('(').and_then(|rest| {
            let end = rest.rfind(')')?;
            Some((&rest[..end], &rest[end + 1..]))
        }) {
            Some(found) => found,
            None => ("", rest),
        };
        Type {
            base,
            args,
            rest: rest.trim(),
        }
    }

    /// The least and the greatest of a type of whole numbers. What is in brackets is how they are
    /// shown.
    fn whole(&self) -> Option<(i128, i128)> {
        let bits = match self.base {
            "tinyint" => 8,
            "smallint" => 16,
            "mediumint" => 24,
            "int" => 32,
            "bigint" => 64,
            _ => return None,
        };
        let half = 1_i128 << (bits - 1);
        Some(match self.rest.contains("unsigned") {
            true => (0, 2 * half - 1),
            false => (-half, half - 1),
        })
    }

    /// The class of a type of texts or bytes, and how much fits: bytes without and, at least, with
    /// four to a character.
    fn capacity(&self) -> Option<Capacity> {
        let given = || self.args.parse::<u64>().unwrap_or(1);
        let (is_text, bytes) = match self.base {
            // CHAR loses blanks at its end where VARCHAR keeps them.
            "char" => (true, Size::Characters(given())),
            "varchar" => (true, Size::Characters(given())),
            "tinytext" => (true, Size::Bytes(255)),
            "text" => (true, Size::Bytes(65_535)),
            "mediumtext" => (true, Size::Bytes(16_777_215)),
            "longtext" => (true, Size::Bytes(4_294_967_295)),
            "varbinary" => (false, Size::Bytes(given())),
            "tinyblob" => (false, Size::Bytes(255)),
            "blob" => (false, Size::Bytes(65_535)),
            "mediumblob" => (false, Size::Bytes(16_777_215)),
            "longblob" => (false, Size::Bytes(4_294_967_295)),
            _ => return None,
        };
        Some(Capacity {
            is_text,
            is_padded: self.base == "char",
            size: bytes,
        })
    }

    /// Whether `other` is the same list of words, perhaps with more at its end.
    fn begins(&self, other: &Type<'_>) -> bool {
        let list = self.base == "enum" || self.base == "set";
        let longer = other.args.strip_prefix(self.args);
        list && self.base == other.base
            && self.rest == other.rest
            && longer.is_some_and(|more| more.starts_with(','))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Capacity {
    is_text: bool,
    is_padded: bool,
    size: Size,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Characters(u64),
    Bytes(u64),
}

impl PartialOrd for Capacity {
    /// Less or equal: all that fits here fits there. `None`: not all does.
    fn partial_cmp(&self, there: &Capacity) -> Option<std::cmp::Ordering> {
        use std::cmp::Ordering;
        let fits = match (self.size, there.size) {
            (Size::Characters(here), Size::Bytes(there)) => 4 * here <= there,
            // A character is a byte or more.
            (
                Size::Characters(here) | Size::Bytes(here),
                Size::Characters(there) | Size::Bytes(there),
            ) => here <= there,
        };
        let padding = self.is_padded || !there.is_padded;
        match self.is_text == there.is_text && fits && padding {
            true if self == there => Some(Ordering::Equal),
            true => Some(Ordering::Less),
            false => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, declared: &str) -> MoveColumn {
        let text = ["text", "char", "enum"];
        MoveColumn {
            name: name.to_owned(),
            declared: declared.to_owned(),
            charset: text
                .iter()
                .any(|kind| declared.contains(kind))
                .then(|| "utf8mb4".to_owned()),
            has_default: true,
            is_generated: false,
            is_numbered: false,
        }
    }

    #[test]
    fn wider_types_hold_what_narrower_ones_have() {
        let holds = |here: &str, there: &str| holds(&column("c", here), &column("c", there));
        for (here, there) in [
            ("int(10) unsigned", "int unsigned"),
            ("int(10) unsigned", "bigint(20)"),
            ("tinyint(3) unsigned", "smallint(6)"),
            ("double", "double"),
            ("float", "double"),
            ("varchar(100)", "varchar(255)"),
            ("varchar(100)", "text"),
            ("text", "mediumtext"),
            ("mediumblob", "longblob"),
            ("enum('a','b')", "enum('a','b','c')"),
            ("datetime", "datetime"),
            ("char(3)", "varchar(3)"),
        ] {
            assert!(holds(here, there), "{here} in {there}");
        }
        for (here, there) in [
            ("int(10) unsigned", "int(11)"),
            ("bigint(20)", "int(10) unsigned"),
            ("double", "float"),
            ("double", "bigint(20)"),
            ("varchar(255)", "varchar(100)"),
            ("varchar(255)", "tinytext"),
            ("mediumtext", "text"),
            ("text", "varchar(9999)"),
            ("mediumblob", "mediumtext"),
            ("enum('a','bc')", "enum('a','b')"),
            ("enum('a','b')", "enum('a','bc')"),
            ("datetime(6)", "datetime"),
            ("varchar(3)", "char(3)"),
            ("decimal(10,2)", "decimal(10,1)"),
        ] {
            assert!(!holds(here, there), "{here} in {there}");
        }
    }

    #[test]
    fn character_sets_are_held_by_larger_ones() {
        let with = |charset: &str| MoveColumn {
            charset: Some(charset.to_owned()),
            ..column("c", "text")
        };
        assert!(holds(&with("utf8mb3"), &with("utf8mb4")));
        assert!(holds(&with("latin1"), &with("utf8")));
        assert!(!holds(&with("utf8mb4"), &with("utf8mb3")));
        assert!(!holds(&with("utf8mb4"), &with("latin1")));
    }

    #[test]
    fn columns_go_by_name_and_what_is_missing_is_told() {
        let here = [column("id", "int"), column("v", "double")];
        let there = [
            column("V", "double"),
            column("id", "bigint"),
            column("x", "int"),
        ];
        let both = fit(&here, &there).unwrap();
        assert_eq!(
            (both.columns, both.lost),
            (vec!["id".into(), "v".into()], vec![])
        );
        let short = fit(&here, &there[1..]).unwrap();
        assert_eq!(
            (short.columns, short.lost),
            (vec!["id".into()], vec!["v".into()])
        );
        let needed = MoveColumn {
            has_default: false,
            ..column("v", "double")
        };
        let why = fit(&[here[0].clone(), needed.clone()], &there[1..]).unwrap_err();
        assert!(why.contains("column v") && why.contains("lacks"), "{why}");
        let why = fit(&here[..1], &[there[1].clone(), needed]).unwrap_err();
        assert!(why.contains("no default"), "{why}");
        assert!(fit(&here, &[]).unwrap_err().contains("create"));
        let why = fit(&here, &[column("id", "tinyint"), column("v", "double")]).unwrap_err();
        assert!(
            why.contains("column id") && why.contains("tinyint"),
            "{why}"
        );
    }
}
