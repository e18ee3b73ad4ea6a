//! The conformance suite of `Store` on the store in memory.
#![allow(clippy::unwrap_used, reason = "tests may")]

use elpis_examples::{MemoryDatabase, MemoryStore, MemoryTable};
use elpis_testkit::conformance::Fixture;
use elpis_testkit::{Kind, Row, Table, conformance_tests};

#[derive(Default)]
struct Memory {
    database: MemoryDatabase,
}

impl Fixture for Memory {
    type Store = MemoryStore;

    fn create(&mut self, table: &Table) {
        let columns: Vec<(&str, bool)> = table
            .columns
            .iter()
            .map(|c| (c.name.as_str(), c.kind == Kind::Int))
            .collect();
        let key: Vec<&str> = table.primary_key.iter().map(String::as_str).collect();
        let indexes: Vec<(&str, Vec<&str>)> = table
            .indexes
            .iter()
            .map(|(name, columns)| (name.as_str(), columns.iter().map(String::as_str).collect()))
            .collect();
        let indexes: Vec<(&str, &[&str])> = indexes
            .iter()
            .map(|(name, columns)| (*name, columns.as_slice()))
            .collect();
        self.database
            .put(&table.name, MemoryTable::new(&columns, &key, &indexes))
            .unwrap();
    }

    fn insert(&mut self, table: &Table, rows: &[Row]) {
        let mut found = self.database.table(&table.name).unwrap();
        rows.iter().for_each(|row| found.insert(row.clone()));
        self.database.put(&table.name, found).unwrap();
    }

    fn rows(&mut self, table: &Table) -> Vec<Row> {
        self.database
            .table(&table.name)
            .unwrap()
            .rows()
            .cloned()
            .collect()
    }

    async fn store(&mut self) -> MemoryStore {
        self.database.store("conformance")
    }
}

conformance_tests!(memory: Memory::default(); composite_keys);
