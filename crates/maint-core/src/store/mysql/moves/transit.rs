//! Values between the driver and a row in transit.

use elpis_mysql::{Row, Value};

use super::odd;
use crate::Scalar;
use crate::store::{Cell, MoveRecord, MoveRow, StoreError, Window};

/// Sizes of the groups in which rows are written, so that few statements are prepared.
const GROUPS: [usize; 6] = [1024, 256, 64, 16, 4, 1];

pub(super) fn cell(value: Value) -> Cell {
    match value {
        Value::NULL => Cell::Null,
        Value::Bytes(bytes) => Cell::Bytes(bytes),
        Value::Int(n) => Cell::Int(n),
        Value::UInt(n) => i64::try_from(n).map_or(Cell::UInt(n), Cell::Int),
        Value::Float(x) => Cell::Real(f64::from(x).to_bits()),
        Value::Double(x) => Cell::Real(x.to_bits()),
        Value::Date(year, month, day, hour, minute, second, micro) => Cell::Moment([
            u32::from(year),
            u32::from(month),
            u32::from(day),
            u32::from(hour),
            u32::from(minute),
            u32::from(second),
            micro,
        ]),
        Value::Time(negative, days, hours, minutes, seconds, micros) => Cell::Elapsed(
            negative,
            [
                days,
                u32::from(hours),
                u32::from(minutes),
                u32::from(seconds),
                micros,
            ],
        ),
    }
}

pub(super) fn value(cell: &Cell) -> Value {
    // The parts came from such a value and fit again.
    let small = |n: u32| n as u8;
    match cell {
        Cell::Null => Value::NULL,
        Cell::Int(n) => Value::Int(*n),
        Cell::UInt(n) => Value::UInt(*n),
        Cell::Real(bits) => Value::Double(f64::from_bits(*bits)),
        Cell::Bytes(bytes) => Value::Bytes(bytes.clone()),
        Cell::Moment([year, month, day, hour, minute, second, micro]) => Value::Date(
            *year as u16,
            small(*month),
            small(*day),
            small(*hour),
            small(*minute),
            small(*second),
            *micro,
        ),
        Cell::Elapsed(negative, [days, hours, minutes, seconds, micros]) => Value::Time(
            *negative,
            *days,
            small(*hours),
            small(*minutes),
            small(*seconds),
            *micros,
        ),
    }
}

pub(super) fn values(rows: &[MoveRow]) -> Vec<Value> {
    rows.iter().flatten().map(value).collect()
}

pub(super) fn cells(row: Row) -> MoveRow {
    let values = row.unwrap_raw().into_iter();
    values.map(|value| value.map_or(Cell::Null, cell)).collect()
}

/// The first `columns` cells of each row, and whether what may follow them is true everywhere.
pub(super) fn rows_of(rows: Vec<Row>, columns: usize) -> (Vec<MoveRow>, bool) {
    let mut all = true;
    let rows = rows.into_iter().map(cells).map(|mut row| {
        all &= row.get(columns).is_none_or(|like| *like == Cell::Int(1));
        row.truncate(columns);
        row
    });
    let rows = rows.collect();
    (rows, all)
}

/// A time as a parameter holds it.
pub(super) fn moment(cell: &Cell) -> Result<Scalar, StoreError> {
    match cell {
        Cell::Int(n) => Ok(Scalar::Int(*n)),
        Cell::UInt(n) => Ok(Scalar::UInt(*n)),
        Cell::Moment([year, month, day, hour, minute, second, micro]) => {
            let text = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
            Ok(Scalar::Text(match micro {
                0 => text,
                micro => format!("{text}.{micro:06}"),
            }))
        }
        Cell::Bytes(bytes) => match String::from_utf8(bytes.clone()) {
            Ok(text) => Ok(Scalar::Text(text)),
            Err(_) => Ok(Scalar::Bytes(bytes.clone())),
        },
        _ => Err(odd("reading a time", "it is neither a number nor a date")),
    }
}

/// Cuts `all` into groups of few different sizes.
pub(super) fn groups<T>(all: &[T]) -> Vec<&[T]> {
    let mut groups = Vec::new();
    let mut rest = all;
    for size in GROUPS {
        while rest.len() >= size {
            let (group, more) = rest.split_at(size);
            groups.push(group);
            rest = more;
        }
    }
    groups
}

/// A record as the table of records has it.
pub(super) fn record(row: &[Cell]) -> Result<MoveRecord, StoreError> {
    let [Cell::Bytes(id), stretch, Cell::Int(staged), rows, checksum] = row else {
        return Err(odd("reading elpis_moves", "it is not as Elpis makes it"));
    };
    let number = |cell: &Cell| match cell {
        Cell::Int(n) => u64::try_from(*n).unwrap_or(0),
        Cell::UInt(n) => *n,
        _ => 0,
    };
    // The active side does not need to say where.
    let nowhere = Window {
        from: Scalar::Int(0),
        to: Scalar::Int(0),
        closed: false,
        below: None,
    };
    let window = match stretch {
        Cell::Bytes(json) => serde_json::from_slice(json).map_err(|error| StoreError::Failed {
            doing: "reading elpis_moves".to_owned(),
            source: error.into(),
        })?,
        _ => nowhere,
    };
    Ok(MoveRecord {
        id: String::from_utf8_lossy(id).into_owned(),
        window,
        staged: *staged != 0,
        rows: number(rows),
        checksum: number(checksum),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_went() {
        let values = [
            Value::NULL,
            Value::Int(-5),
            Value::UInt(u64::MAX),
            Value::Double(0.1 + 0.2),
            Value::Bytes(vec![0, 255]),
            Value::Date(0, 0, 0, 0, 0, 0, 0),
            Value::Date(2026, 2, 30, 23, 59, 59, 999_999),
            Value::Time(true, 34, 22, 59, 59, 7),
        ];
        for given in values {
            assert_eq!(value(&cell(given.clone())), given);
        }
        // Which columns are unsigned or short is no difference.
        assert_eq!(cell(Value::UInt(7)), cell(Value::Int(7)));
        assert_eq!(
            cell(Value::Float(0.1)),
            cell(Value::Double(f64::from(0.1_f32)))
        );
    }

    #[test]
    fn groups_are_of_few_sizes_and_hold_everything() {
        let all: Vec<u32> = (0..2_999).collect();
        let groups = groups(&all);
        assert_eq!(groups.concat(), all);
        assert!(groups.iter().all(|group| GROUPS.contains(&group.len())));
        assert!(super::groups::<u32>(&[]).is_empty());
    }
}
