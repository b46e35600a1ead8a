//! Child tables: their rows follow the record, for every child table of the registry.

use model::column::ChildTable;
use model::entity::{self, Entity};
use pipeline_tests::mirror::Mirror;
use pipeline_tests::pages::{HandRun, MemorySource, element, list_of};
use protocol::manifest::RunStatus;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::promotion::sync;
use crate::staging::record;

fn parts() -> impl Iterator<Item = (&'static Entity, &'static ChildTable)> {
    entity::ALL.into_iter().flat_map(|entity| entity.child_tables.iter().map(move |part| (entity, part)))
}

/// Returns a record with this list in the child table's field, as a connection.
fn holding(part: &ChildTable, id: &str, words: &[&str], has_more: bool) -> Value {
    let mut record = record(id);
    record[part.field] = list_of(part, words, has_more);
    record
}

/// Returns the line numbers of a record's child rows.
async fn lines(mirror: &Mirror, part: &ChildTable, id: &str) -> Vec<i64> {
    let sql = format!(
        "select line from {} where {} = '{id}' and deleted_at is null order by line",
        part.table, part.parent
    );
    mirror.rows(&sql).await.iter().filter_map(|row| row["line"].as_i64()).collect()
}

#[sqlx::test(migrations = false)]
async fn child_rows_follow_the_newest_record(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    assert!(parts().count() > 0);
    for (entity, part) in parts() {
        let id = format!("{}_1", part.table);
        let mut nothing = record(&id);
        nothing[part.field] = Value::Null;
        for (minute, record, expected) in [
            (1, holding(part, &id, &["a", "b", "c"], false), vec![1, 2, 3]),
            (2, holding(part, &id, &["b"], false), vec![1]),
            (3, nothing, vec![1]),
            (4, holding(part, &id, &[], false), vec![]),
            (5, holding(part, &id, &["a", "b"], false), vec![1, 2]),
            // Late: it was fetched before.
            (2, holding(part, &id, &["x", "y", "z"], false), vec![1, 2]),
        ] {
            let minute = minute + 100 * i64::try_from(part.table.len()).unwrap_or(0);
            sync(&mirror, entity, minute, &[record]).await;
            assert_eq!(lines(&mirror, part, &id).await, expected, "{}, minute {minute}", part.table);
        }
        // Deleted, its rows with it; it comes back without a list.
        let sql = format!(
            "update {} set deleted_at = now() where id = '{id}'; update {} set deleted_at = now() where {} = '{id}'",
            entity.table, part.table, part.parent
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut mirror.connection().await)
            .await
            .expect("a deletion");
        assert_eq!(lines(&mirror, part, &id).await, Vec::<i64>::new());
        let mut back = record(&id);
        back[part.field] = Value::Null;
        sync(&mirror, entity, 6 + 100 * i64::try_from(part.table.len()).unwrap_or(0), &[back]).await;
        assert_eq!(lines(&mirror, part, &id).await, [1, 2], "{} is back", part.table);
    }
}

#[sqlx::test(migrations = false)]
async fn alias_is_followed_in_child_rows(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    for (entity, part) in parts() {
        for column in part.columns {
            let Some(target) = column.references else { continue };
            let known = pipeline_tests::mirror::entity(target);
            let (meant, minute) = (format!("{}_{}_meant", part.table, column.name), part.table.len());
            let minute = i64::try_from(minute).unwrap_or(0);
            sync(&mirror, known, minute, &[record(&meant)]).await;
            let word = format!("{}_{}", part.table, column.name);
            let sql = format!(
                "insert into aliases (entity, alias, id) values ('{target}', '{target}_{word}', '{meant}')"
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                .execute(&mut mirror.connection().await)
                .await
                .expect("an alias");
            sync(&mirror, entity, minute + 1, &[holding(part, &word, &[&word, "other"], false)]).await;
            let sql = format!(
                "select {} as id from {} where {} = '{word}' order by line",
                column.name, part.table, part.parent
            );
            let other = format!("{target}_other");
            assert_eq!(
                mirror.rows(&sql).await,
                [json!({"id": meant}), json!({"id": other})],
                "{}",
                part.table
            );
            let sql = format!("select count(*) from {} where id = '{target}_{word}'", known.table);
            assert_eq!(mirror.value(&sql).await, json!(0), "nobody is made up");
        }
    }
}

#[sqlx::test(migrations = false)]
async fn null_element_costs_only_itself(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    for (entity, part) in parts() {
        let mut odd = record("odd");
        odd[part.field] = json!({"nodes": [null, element(part, "a"), 7, [], "text", {}], "pageInfo": 5});
        let mut wrong = record("wrong");
        wrong[part.field] = json!("no list");
        let sound = holding(part, "sound", &["b"], false);
        let minute = i64::try_from(part.table.len()).unwrap_or(0);
        sync(&mirror, entity, minute, &[odd, wrong, sound]).await;
        let of = |id: &'static str| lines(&mirror, part, id);
        assert_eq!((of("odd").await, of("wrong").await, of("sound").await), (vec![2, 6], vec![], vec![1]));
        let notes = format!("select note from {} where gazelle_id = 'odd'", entity.staging_table);
        let note = mirror.value(&notes).await.to_string();
        for place in [1, 3, 4, 5] {
            assert!(note.contains(&format!("{}[{place}] is not an object", part.field)), "{note}");
        }
        let sql = format!("truncate {} cascade; truncate {}", entity.table, entity.staging_table);
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut mirror.connection().await).await.expect("empty");
    }
}

#[sqlx::test(migrations = false)]
async fn child_row_reference_gets_one_placeholder(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    for (entity, part) in parts() {
        sync(&mirror, entity, 1, &[holding(part, part.table, &[part.table, part.table], false)]).await;
        for column in part.columns {
            let Some(target) = column.references else { continue };
            let id = format!("{target}_{}", part.table);
            let sql = format!(
                "select is_placeholder from {} where id = '{id}'",
                pipeline_tests::mirror::entity(target).table
            );
            assert_eq!(mirror.rows(&sql).await, [json!({"is_placeholder": true})], "{}", part.table);
            let sql = format!("select {} as id from {}", column.name, part.table);
            assert_eq!(mirror.rows(&sql).await, [json!({"id": id}), json!({"id": id})], "{}", part.table);
            let sql =
                format!("select count(*) from admin_actions where kind = 'placeholder' and subject = '{id}'");
            assert_eq!(mirror.value(&sql).await, json!(1));
        }
    }
}

#[sqlx::test(migrations = false)]
async fn truncated_list_waits_for_lookup_and_removes_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    for (entity, part) in parts().filter(|(entity, _)| entity.supports_lookup()) {
        let id = format!("{}_long", part.table);
        let minute = 100 * i64::try_from(part.table.len()).unwrap_or(0);
        sync(&mirror, entity, minute, &[holding(part, &id, &["a", "b", "c"], false)]).await;
        // In a listing: not staged at all.
        let short = holding(part, &id, &["a"], true);
        let source = MemorySource::default();
        let mut run = HandRun::new(entity, minute + 1);
        run.page(&source, std::slice::from_ref(&short));
        run.end(&source, RunStatus::Success);
        assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
        let staged = format!("select count(*) from {} where gazelle_id = '{id}'", entity.staging_table);
        assert_eq!(mirror.value(&staged).await, json!(1), "{}", part.table);
        // As an answer by id: staged, and what it lacks proves nothing.
        let source = MemorySource::default();
        let mut run = HandRun::new(entity, minute + 2);
        run.answer(&source, &id, &short);
        run.end(&source, RunStatus::Success);
        assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
        mirror.reconcile().await;
        assert_eq!(mirror.value(&staged).await, json!(2), "{}", part.table);
        assert_eq!(lines(&mirror, part, &id).await, [1, 2, 3], "{}", part.table);
        let sql = format!("select note from {} where gazelle_id = '{id}'", entity.staging_table);
        let notes = json!(mirror.rows(&sql).await).to_string();
        assert!(notes.contains("is truncated by the source"), "{notes}");
    }
}
