//! How tables look.

use std::io::{self, IsTerminal};

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

/// A line under the header and nothing else.
pub(crate) const PLAIN: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));
/// The same for rows of several lines.
pub(crate) const RULED: TableStyle = PLAIN.row_separator(LineStyle::none().fill('╌').junction('╌'));

/// How wide a table is that nobody sees on a terminal, which has a width of its own: as wide as a
/// mail or a page of a log is read.
const PIPED: u16 = 120;

/// A table as text, whose long cells are wrapped wherever it is read.
pub(crate) fn wrapped(style: TableStyle, header: &[&str], rows: Vec<Vec<Cell>>) -> String {
    let mut table = Table::new();
    if !io::stdout().is_terminal() {
        table.set_width(PIPED);
    }
    filled(table, style, header, rows)
}

/// A table as text.
pub(crate) fn table(style: TableStyle, header: &[&str], rows: Vec<Vec<Cell>>) -> String {
    filled(Table::new(), style, header, rows)
}

fn filled(mut table: Table, style: TableStyle, header: &[&str], rows: Vec<Vec<Cell>>) -> String {
    table
        .load_style(style)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.iter().map(Cell::new));
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    table.trim_fmt()
}

/// A cell of words.
pub(crate) fn text(text: impl Into<String>) -> Cell {
    Cell::new(text.into())
}

/// A cell of a number.
pub(crate) fn right(text: impl Into<String>) -> Cell {
    Cell::new(text.into()).set_alignment(CellAlignment::Right)
}
