//! The tables as diesel knows them; `migrations/` is where they are made.

diesel::table! {
    runs (id) {
        id -> BigInt,
        job -> Text,
        target -> Text,
        holder -> Text,
        started -> BigInt,
        plan -> Text,
        finished -> Nullable<BigInt>,
        outcome -> Nullable<Text>,
    }
}

diesel::table! {
    plans (run) {
        run -> BigInt,
        plan -> Text,
    }
}

diesel::table! {
    events (run, seq) {
        run -> BigInt,
        seq -> BigInt,
        at -> BigInt,
        body -> Text,
    }
}

diesel::table! {
    /// diesel's own record of what was applied; read without its harness, which would create it.
    __diesel_schema_migrations (version) {
        version -> Text,
    }
}
