//! References without an id, aliases, transferred pianos, duplicate clients: clear cases are linked,
//! likely ones proposed, and every decision is recorded.

use pipeline_tests::mirror::{Mirror, entity};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::promotion::sync;

fn user(id: &str, first: &str, last: &str, email: &str) -> Value {
    json!({"id": id, "firstName": first, "lastName": last, "email": email})
}

async fn bring_technicians(mirror: &Mirror) {
    let users = [
        user("usr_1", "Émilie", "Beauséjour", "emilie@example.org"),
        user("usr_2", "Marc", "Lafleur", "marc@example.org"),
        user("usr_3", "Marc-André", "Beauséjour", "ma@example.org"),
    ];
    sync(mirror, entity("users"), 0, &users).await;
}

#[sqlx::test(migrations = false)]
async fn technician_without_id_is_matched_by_name(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    bring_technicians(&mirror).await;
    let cases = [
        ("t1", json!({"id": null, "firstName": "EMILIE", "lastName": "beausejour"}), Some("usr_1"), "equal"),
        ("t2", json!({"id": "", "name": "Lafleur, Marc"}), Some("usr_2"), "equal"),
        ("t3", json!({"name": "Émilie Beauséjor"}), Some("usr_1"), "fuzzy"),
        ("t4", json!({"email": "MA@example.org "}), Some("usr_3"), "equal"),
        ("t5", json!({"name": "Beauséjour"}), None, "none"),
        ("t6", json!({"name": "Zacharie Untel"}), None, "none"),
        ("t7", json!({"name": "Zacharie Untel"}), None, "none"),
    ];
    let entries: Vec<Value> = cases
        .iter()
        .map(|(id, user, _, _)| json!({"id": id, "occurredAt": "2025-03-01T12:00:00Z", "user": user}))
        .collect();
    sync(&mirror, entity("timeline"), 1, &entries).await;
    let found = mirror
        .rows("select t.id, t.user_id, d.method, d.choice, jsonb_array_length(d.candidates) > 0 as compared
            from timeline_entries t join match_decisions d on d.record_id = t.id and d.reference = 'user_id' order by t.id")
        .await;
    for ((id, _, expected, method), row) in cases.iter().zip(&found) {
        assert_eq!(
            (&row["id"], &row["user_id"], &row["method"]),
            (&json!(id), &json!(expected), &json!(method))
        );
        assert_eq!(row["choice"], json!(expected), "{id}");
        assert!(expected.is_none() || row["compared"] == json!(true), "{id}: its candidates are named");
    }
    assert_eq!(found.len(), cases.len());
    let asked = "select subject from admin_actions where kind = 'unmatched' order by 1";
    let names = [json!({"subject": "beausejour"}), json!({"subject": "zacharie untel"})];
    assert_eq!(mirror.rows(asked).await, names, "once for each name");
    // The same again changes nothing, and writes no decision twice.
    let before = mirror.value("select count(*) from match_decisions").await;
    let versions = mirror.value("select sum(version) from timeline_entries").await;
    let again: Vec<Value> = entries
        .iter()
        .map(|entry| {
            let mut entry = entry.clone();
            entry["x"] = json!(1);
            entry
        })
        .collect();
    sync(&mirror, entity("timeline"), 2, &entries).await;
    assert_eq!(mirror.value("select sum(version) from timeline_entries").await, versions);
    sync(&mirror, entity("timeline"), 3, &again).await;
    assert_eq!(mirror.value("select count(*) from match_decisions").await, before);
}

#[sqlx::test(migrations = false)]
async fn alias_wins_over_placeholder_and_name(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    bring_technicians(&mirror).await;
    sqlx::raw_sql("insert into aliases (entity, alias, id) values ('users', 'usr_gone', 'usr_2'), ('users', 'Le grand Zach', 'usr_3')")
        .execute(&mut mirror.connection().await)
        .await
        .expect("aliases");
    let at = "2025-03-01T12:00:00Z";
    let entries = [
        json!({"id": "t1", "occurredAt": at, "user": {"id": "usr_gone"}}),
        json!({"id": "t2", "occurredAt": at, "user": {"id": null, "name": "le grand ZACH"}}),
        json!({"id": "t3", "occurredAt": at, "user": {"id": "usr_1"}}),
    ];
    sync(&mirror, entity("timeline"), 1, &entries).await;
    let found = mirror.rows("select id, user_id from timeline_entries order by id").await;
    assert_eq!(
        found,
        [
            json!({"id": "t1", "user_id": "usr_2"}),
            json!({"id": "t2", "user_id": "usr_3"}),
            json!({"id": "t3", "user_id": "usr_1"})
        ]
    );
    let decided =
        mirror.rows("select record_id, method, choice from match_decisions order by record_id").await;
    assert_eq!(
        decided,
        [
            json!({"record_id": "t1", "method": "alias", "choice": "usr_2"}),
            json!({"record_id": "t2", "method": "alias", "choice": "usr_3"})
        ]
    );
    assert_eq!(mirror.value("select count(*) from users where is_placeholder").await, json!(0));
}

fn piano(id: &str, client: &str, serial: &str, created: &str) -> Value {
    json!({"id": id, "client": {"id": client}, "make": "Yamaha", "model": "U1", "serialNumber": serial, "createdAt": created})
}

#[sqlx::test(migrations = false)]
async fn transferred_piano_is_linked_in_any_order(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let first = piano("ins_a", "cli_1", "H 2345678", "2015-01-01T00:00:00Z");
    let between = piano("ins_b", "cli_2", "h-2345678", "2019-01-01T00:00:00Z");
    let last = piano("ins_c", "cli_3", "2345678", "2024-01-01T00:00:00Z");
    let other = piano("ins_d", "cli_3", "2345679", "2024-01-01T00:00:00Z");
    let links = "select id, other_id from record_links where relation = 'predecessor' order by id";
    sync(&mirror, entity("pianos"), 0, &[last.clone(), first.clone(), other.clone()]).await;
    assert_eq!(mirror.rows(links).await, [json!({"id": "ins_c", "other_id": "ins_a"})]);
    // The one between them arrives last.
    sync(&mirror, entity("pianos"), 1, &[between]).await;
    let chain = [json!({"id": "ins_b", "other_id": "ins_a"}), json!({"id": "ins_c", "other_id": "ins_b"})];
    assert_eq!(mirror.rows(links).await, chain);
    // A serial number is corrected: it was another piano all along.
    sync(&mirror, entity("pianos"), 2, &[piano("ins_b", "cli_2", "7654321", "2019-01-01T00:00:00Z")]).await;
    assert_eq!(mirror.rows(links).await, [json!({"id": "ins_c", "other_id": "ins_a"})]);
    let decided = mirror
        .value("select count(*) from match_decisions where reference = 'predecessor' and choice is not null")
        .await;
    assert_eq!(decided, json!(3), "every link was written down");
}

fn client(id: &str, first: &str, email: &str, phone: &str) -> Value {
    json!({"id": id, "tags": [], "defaultContact": {"firstName": first, "lastName": "Beauséjour",
        "defaultEmail": {"email": email}, "defaultPhone": {"phoneNumber": phone}}})
}

const OPEN_GROUPS: &str = "select subject from admin_actions where kind = 'probable_duplicate' and resolved_at is null order by subject";

#[sqlx::test(migrations = false)]
async fn duplicates_are_proposed_once_and_never_merged(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let clients = [
        client("cli_1", "Zoé", "zoe@example.org", "(514) 555-0123"),
        client("cli_2", "ZOE", "Zoe@example.org", "514-555-0123"),
        // The same household, another person.
        client("cli_3", "Hugo", "zoe@example.org", "(514) 555-0123"),
    ];
    sync(&mirror, entity("clients"), 0, &clients).await;
    assert_eq!(mirror.rows(OPEN_GROUPS).await, [json!({"subject": "cli_1"})]);
    let shown = "select details ->> 'grade' as grade, details ->> 'same_as' as shown from admin_actions where kind = 'probable_duplicate'";
    let expected = json!({"grade": "certain", "shown": "100 % · Zoé Beauséjour (cli_1) = ZOE Beauséjour (cli_2) · email, phone"});
    assert_eq!(mirror.rows(shown).await, [expected]);
    assert_eq!(mirror.value("select count(*) from clients").await, json!(3), "never merged");
    let decided = "select candidates -> 0 ->> 'id' as candidate, score > 0.8 as sure, choice from match_decisions where reference = 'probable_duplicate'";
    assert_eq!(mirror.rows(decided).await, [json!({"candidate": "cli_2", "sure": true, "choice": null})]);
    // A person says no; a change of the card does not ask again.
    close(&mirror, "true").await;
    sync(&mirror, entity("clients"), 1, &[client("cli_2", "Zoe", "zoe@example.org", "514-555-0123")]).await;
    assert_eq!(mirror.rows(OPEN_GROUPS).await, Vec::<Value>::new());
    // A third card of hers is a new question, and the old answer stays.
    sync(&mirror, entity("clients"), 2, &[client("cli_4", "Zoe", "zoe@example.org", "")]).await;
    let pairs = "select one, other from duplicate_pairs where decided_at is null order by 1, 2";
    let new = [json!({"one": "cli_1", "other": "cli_4"}), json!({"one": "cli_2", "other": "cli_4"})];
    assert_eq!(mirror.rows(pairs).await, new);
}

/// Closes the open groups that meet the condition, in a person's name.
async fn close(mirror: &Mirror, condition: &'static str) {
    let sql = format!(
        "update admin_actions set resolved_at = now(), resolved_by = 'test'
        where kind = 'probable_duplicate' and resolved_at is null and {condition}"
    );
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut mirror.connection().await).await;
    done.expect("an answer");
}

#[sqlx::test(migrations = false)]
async fn duplicate_groups_are_bounded_and_the_rest_counted(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    // More clients than one pass compares, and none is forgotten.
    let many: Vec<Value> = (0..1_200)
        .map(|number| {
            client(&format!("cli_{number:04}"), "Ada", &format!("ada{}@example.org", number / 2), "")
        })
        .collect();
    sync(&mirror, entity("clients"), 0, &many).await;
    assert_eq!(mirror.value("select count(*) from duplicate_pairs").await, json!(600));
    let open = format!("select count(*) from ({OPEN_GROUPS}) q where subject <> '*'");
    let waiting =
        "select (details -> 'waiting')::int from admin_actions where subject = '*' and resolved_at is null";
    assert_eq!((mirror.value(&open).await, mirror.value(waiting).await), (json!(40), json!(560)));
    // Each answer makes room for another group, with no change of a card.
    close(&mirror, "subject in ('cli_0000', 'cli_0002')").await;
    sync(&mirror, entity("clients"), 1, &[client("cli_x", "Bo", "bo@example.org", "")]).await;
    assert_eq!((mirror.value(&open).await, mirror.value(waiting).await), (json!(40), json!(558)));
}

#[sqlx::test(migrations = false)]
async fn duplicate_group_follows_its_members(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let zoe = |id: &str| client(id, "Zoé", "zoe@example.org", "514 555-0123");
    let members = "select details ->> 'members_total' as members, resolved_by from admin_actions where kind = 'probable_duplicate' order by created_at, resolved_at nulls last";
    sync(&mirror, entity("clients"), 0, &[zoe("cli_1"), zoe("cli_2"), zoe("cli_3")]).await;
    assert_eq!(mirror.rows(members).await, [json!({"members": "3", "resolved_by": null})]);
    // Another card turns out to be another person.
    sync(&mirror, entity("clients"), 1, &[client("cli_3", "Hugo", "hugo@example.org", "514 555-0123")]).await;
    assert_eq!(mirror.rows(members).await, [json!({"members": "2", "resolved_by": null})]);
    // The cards are merged in Gazelle: one of them is gone.
    sqlx::raw_sql("update clients set deleted_at = now(), updated_at = clock_timestamp() where id = 'cli_2'")
        .execute(&mut mirror.connection().await)
        .await
        .expect("a deletion");
    sync(&mirror, entity("clients"), 2, &[client("cli_9", "Bo", "bo@example.org", "")]).await;
    assert_eq!(mirror.rows(members).await, [json!({"members": "2", "resolved_by": "reconciler"})]);
    assert_eq!(mirror.value("select count(*) from duplicate_pairs").await, json!(0));
}

#[sqlx::test(migrations = false)]
async fn numbered_schools_of_one_building_are_no_duplicates(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let schools: Vec<Value> = (0..400)
        .map(|number| {
            json!({"id": format!("cli_{number}"), "companyName": format!("École {number}"), "defaultContact": {
                "defaultEmail": {"email": format!("ecole{number}@example.org")},
                "defaultPhone": {"phoneNumber": format!("514 555-{number:04}")},
                "defaultLocation": {"street1": "12 rue des Tilleuls", "municipality": "Montréal", "postalCode": "H2X 1Y4"}}})
        })
        .collect();
    sync(&mirror, entity("clients"), 0, &schools).await;
    assert_eq!(mirror.rows(OPEN_GROUPS).await, Vec::<Value>::new());
    assert_eq!(mirror.value("select count(*) from duplicate_pairs").await, json!(0));
}

#[sqlx::test(migrations = false)]
async fn alias_never_replaces_a_living_record(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    bring_technicians(&mirror).await;
    let at = "2025-03-01T12:00:00Z";
    let entries = [
        // Lives, though an alias says otherwise; and one that differs from an alias in its case alone.
        json!({"id": "t1", "occurredAt": at, "user": {"id": "usr_1"}}),
        json!({"id": "t2", "occurredAt": at, "user": {"id": "USR_GONE"}}),
        json!({"id": "t3", "occurredAt": at, "user": {"name": "Zacharie Untel"}}),
    ];
    let open = "select subject from admin_actions where kind = 'unmatched' and resolved_at is null";
    sync(&mirror, entity("timeline"), 1, &entries).await;
    assert_eq!(mirror.rows(open).await, [json!({"subject": "zacharie untel"})]);
    sqlx::raw_sql("insert into aliases (entity, alias, id) values ('users', 'usr_1', 'usr_2'), ('users', 'usr_gone', 'usr_2'), ('users', 'Zacharie Untel', 'usr_3')")
        .execute(&mut mirror.connection().await)
        .await
        .expect("aliases");
    let again: Vec<Value> = entries
        .iter()
        .map(|entry| {
            let mut entry = entry.clone();
            entry["x"] = json!(1);
            entry
        })
        .collect();
    sync(&mirror, entity("timeline"), 2, &again).await;
    let found = mirror.rows("select id, user_id from timeline_entries order by id").await;
    let expected = [
        json!({"id": "t1", "user_id": "usr_1"}),
        json!({"id": "t2", "user_id": "USR_GONE"}),
        json!({"id": "t3", "user_id": "usr_3"}),
    ];
    assert_eq!(found, expected);
    assert_eq!(mirror.rows(open).await, Vec::<Value>::new(), "the question is answered");
}

#[sqlx::test(migrations = false)]
async fn oversized_values_block_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    // Text that does not compress.
    let mut dice = pipeline_tests::dice::Dice(1);
    let novel: String =
        (0..20_000).map(|_| char::from(b'a' + u8::try_from(dice.below(26)).unwrap_or(0))).collect();
    let client = |id: &str| {
        json!({"id": id, "companyName": novel, "defaultContact": {"firstName": novel, "lastName": novel,
            "defaultEmail": {"email": format!("{novel}@example.org")},
            "defaultLocation": {"street1": format!("12 {novel}"), "municipality": novel}}})
    };
    sync(&mirror, entity("clients"), 0, &[client("cli_1"), client("cli_2"), json!({"id": "cli_3"})]).await;
    assert_eq!(mirror.value("select count(*) from clients").await, json!(3));
    assert_eq!(mirror.value("select id from match_progress where entity = 'clients'").await, json!("cli_3"));
    let entry = json!({"id": "t1", "occurredAt": "2025-03-01T12:00:00Z", "client": {"companyName": novel}});
    sync(&mirror, entity("timeline"), 1, &[entry]).await;
    assert_eq!(mirror.value("select count(*) from timeline_entries").await, json!(1));
}

#[sqlx::test(migrations = false)]
async fn changed_piano_moves_no_other_link(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let piano = |id: &str, year: Option<i32>, created: &str, notes: &str| {
        json!({"id": id, "client": {"id": format!("cli_{id}")}, "make": "Yamaha", "model": "U1", "serialNumber": "2345678",
            "year": year, "createdAt": created, "notes": notes})
    };
    let x = |notes: &str| piano("x", Some(1960), "2012-01-01T00:00:00Z", notes);
    let all = [
        piano("y", None, "2010-01-01T00:00:00Z", ""),
        piano("v", Some(1974), "2015-01-01T00:00:00Z", ""),
        piano("z", Some(1975), "2020-01-01T00:00:00Z", ""),
        x("before"),
    ];
    sync(&mirror, entity("pianos"), 0, &all).await;
    let links = "select id, other_id from record_links order by id";
    let before = mirror.rows(links).await;
    assert!(before.contains(&json!({"id": "z", "other_id": "v"})), "{before:?}");
    sync(&mirror, entity("pianos"), 1, &[x("after")]).await;
    assert_eq!(mirror.rows(links).await, before);
    // Another one as old as the predecessor: nobody can say which it was.
    sync(&mirror, entity("pianos"), 2, &[piano("w", Some(1974), "2015-01-01T00:00:00Z", "")]).await;
    let after = mirror.rows(links).await;
    assert!(!after.iter().any(|link| link["id"] == "z"), "{after:?}");
}

#[sqlx::test(migrations = false)]
async fn leftover_ids_are_reported_fast_at_full_size(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    // Fifteen years of entries, and a thousand leftovers of V5 that say what an entry of their day says.
    sqlx::raw_sql(
        "select ensure_monthly_partitions('timeline_entries', array(
             select generate_series('2011-01-01'::date, '2025-12-01'::date, interval '1 month')::date));
         insert into timeline_entries (id, occurred_at, occurred_on, summary, comment, synced_at, source_key)
         select 'tme_' || n, at, (at at time zone 'America/Montreal')::date, 'Entrée ' || n % 977, repeat('texte ', 40), now(), ''
         from (select n, timestamptz '2011-01-01 12:00Z' + n * interval '51 minutes' as at from generate_series(1, 154000) n) e;
         insert into timeline_entries (id, occurred_at, occurred_on, summary, comment, synced_at, source_key)
         select 'tle_' || id, occurred_at, occurred_on, upper(summary) || ' ', comment, synced_at, ''
         from timeline_entries where substr(id, 5)::int % 154 = 0;
         insert into timeline_entries_keys select id, occurred_at from timeline_entries;
         analyze timeline_entries; analyze timeline_entries_keys",
    )
    .execute(&mut mirror.connection().await)
    .await
    .expect("fifteen years");
    for expected in [1_000, 0] {
        let began = std::time::Instant::now();
        let reported = db::matching::report_duplicate_ids(&mirror.db, entity("timeline")).await;
        assert_eq!(reported.expect("the database"), expected);
        // A second on an idle machine; the statements have a limit of five.
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

#[sqlx::test(migrations = false)]
async fn failing_report_fails_no_work(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    // Reports write these tables, and fail for want of them.
    sqlx::raw_sql("alter table match_progress rename to match_progress_away; alter table aliases rename to aliases_away")
        .execute(&mut mirror.connection().await)
        .await
        .expect("a fault");
    crate::promotion::sync(&mirror, entity("users"), 0, &[crate::staging::record("usr_1")]).await;
    assert_eq!(mirror.value("select count(*) from users").await, serde_json::json!(1));
    sqlx::raw_sql("alter table match_progress_away rename to match_progress; alter table aliases_away rename to aliases")
        .execute(&mut mirror.connection().await)
        .await
        .expect("the end of it");
    mirror.reconcile().await;
    assert_eq!(
        mirror.value("select count(*) from match_progress").await,
        serde_json::json!(1),
        "it is done later"
    );
}

/// Clients that are inserted by themselves: numbered schools of a board with one phone, households, and clients that
/// have one name and one city in common. Every tenth client has a second card.
async fn bring_many_alike(mirror: &Mirror, clients: i32) {
    let sql = "insert into clients (id, company_name, first_name, last_name, email, phone, street1, city, postal_code)
        select 'cli_' || lpad(n::text, 6, '0'),
            case when n % 3 = 0 then 'École primaire ' || n / 10 * 10 end,
            case when n % 3 > 0 then 'Ada' end, case when n % 3 > 0 then 'Tremblay' end,
            'client' || (case when n % 10 = 9 then n - 3 else n end) || '@example.org',
            case when n % 3 = 0 then '514 555-0100' else '438 555-' || lpad((n % 10000)::text, 4, '0') end,
            case when n % 3 = 0 then '12 rue des Tilleuls' end, 'Montréal', 'H2X 1Y4'
        from generate_series(1, $1) n";
    let done = sqlx::query(sql).bind(clients).execute(&mut mirror.connection().await).await;
    done.expect("clients");
}

#[sqlx::test(migrations = false)]
async fn many_alike_clients_are_compared_in_bounded_time(_: PgPoolOptions, options: PgConnectOptions) {
    const CLIENTS: i32 = 4_000;
    let mirror = Mirror::open(options).await;
    bring_many_alike(&mirror, CLIENTS).await;
    let started = std::time::Instant::now();
    let mut longest = std::time::Duration::ZERO;
    loop {
        let batch = std::time::Instant::now();
        let matched = db::matching::match_changed(&mirror.db, entity("clients")).await.expect("a database");
        longest = longest.max(batch.elapsed());
        if matched.rows == 0 {
            break;
        }
    }
    // A batch holds a transaction of a function that has minutes; here it has a shared processor.
    let (whole, pairs) = (started.elapsed(), mirror.value("select count(*) from duplicate_pairs").await);
    assert!(longest.as_secs() < 10 && whole.as_secs() < 120, "{longest:?} of {whole:?}");
    let pairs = pairs.as_i64().unwrap_or_default();
    assert!((i64::from(CLIENTS) / 30..i64::from(CLIENTS) / 5).contains(&pairs), "{pairs} pairs in {whole:?}");
}
