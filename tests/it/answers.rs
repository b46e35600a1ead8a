//! Responses of the source in every form that trouble has: read for their meaning, not for their status.

use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use fetcher::raw_sink::{PageWrite, RawSink, S3RawSink};
use fetcher::report::{ReportStatus, RunReport};
use gazelle_client::{Authentication, FixedTokenStore, TokenStore};
use object_store::{Object, ObjectStore, S3ObjectStore, StateError};
use pipeline_tests::mirror::entity;
use pipeline_tests::process::{Middleman, Reply};
use pipeline_tests::source::{Source, TICK};
use protocol::action::ActionKind;
use serde_json::{Value, json};

fn errors(code: &str) -> Value {
    json!({"data": null, "errors": [{"message": "m", "extensions": {"code": code}}]})
}

/// Starts a server that replies to the first requests for data by a script, and forwards the later ones.
async fn first_answered(source: &Source, count: u32, reply: fn() -> Reply) -> Middleman {
    let requests = AtomicU32::new(0);
    Middleman::before(&source.sim.url, move |path, _| {
        let is_data = path.contains("graphql");
        if is_data && requests.fetch_add(1, Ordering::Relaxed) < count { reply() } else { Reply::Forward }
    })
    .await
}

async fn users(source: &Source, middleman: &Middleman) -> RunReport {
    let job = Source::job(entity("users"), TICK);
    source.serve_with(&source.api_behind(&middleman.url), &job).await.remove(0)
}

#[tokio::test]
async fn passing_trouble_in_any_form_is_retried() {
    let source = Source::small().await;
    let troubles: [fn() -> Reply; 12] = [
        || Reply::json(&errors("THROTTLED")),
        || Reply::json(&errors("INTERNAL_SERVER_ERROR")),
        || Reply::json(&json!({"errors": [{"message": "Something went wrong"}]})),
        || Reply::json(&json!({"data": null})),
        || Reply::json(&json!({"data": {"allUsers": null}, "errors": [null]})),
        || Reply::json(&json!({"data": {"allUsers": null}})),
        || Reply::status(404),
        || Reply::status(408),
        || Reply::status(409),
        || Reply::status(421),
        || Reply::status(425),
        || Reply::status(522),
    ];
    for (index, trouble) in troubles.into_iter().enumerate() {
        let middleman = first_answered(&source, 1, trouble).await;
        let report = users(&source, &middleman).await;
        assert_eq!((report.status, report.action), (ReportStatus::Success, None), "{index}: {report:?}");
        assert!(middleman.requests() > 1, "{index}");
    }
}

#[tokio::test]
async fn refused_key_in_any_form_is_a_matter_of_credentials() {
    let refusals: [fn() -> Reply; 6] = [
        || Reply::status(401),
        || Reply::status(403),
        || Reply::Answer(302, vec![("location", "/users/sign_in".to_owned())], String::new()),
        || Reply::Answer(307, vec![("location", "/login".to_owned())], String::new()),
        || Reply::json(&errors("UNAUTHENTICATED")),
        || {
            Reply::Answer(
                200,
                vec![("content-type", "text/html".to_owned())],
                "<!DOCTYPE html><html><form>Log in</form></html>".to_owned(),
            )
        },
    ];
    for (index, refusal) in refusals.into_iter().enumerate() {
        let source = Source::small().await;
        let middleman = first_answered(&source, u32::MAX, refusal).await;
        let report = users(&source, &middleman).await;
        let told = (report.status, report.action);
        assert_eq!(told, (ReportStatus::Failed, Some(ActionKind::Credentials)), "{index}: {report:?}");
        assert!(report.error.is_some_and(|error| error.contains("refuses the credentials")));
    }
}

#[tokio::test]
async fn schema_code_alone_is_a_schema_change() {
    let source = Source::small().await;
    let middleman = first_answered(&source, u32::MAX, || Reply::json(&errors("argumentNotAccepted"))).await;
    let report = users(&source, &middleman).await;
    assert_eq!(
        (report.status, report.action),
        (ReportStatus::Failed, Some(ActionKind::Schema)),
        "{report:?}"
    );
    assert_eq!(middleman.requests(), 1, "it is not tried again");
}

fn tokens() -> TokenStore {
    let fields = json!({"client_id": "sim-client\n", "client_secret": " sim-secret", "access_token": "stale",
        "refresh_token": "sim-refresh-1\r\n", "expires_at": "2999-01-01T00:00:00Z"});
    TokenStore::Fixed(FixedTokenStore::with_fields(fields.as_object().cloned().unwrap_or_default()))
}

#[tokio::test]
async fn token_answer_in_any_form_is_used_and_kept() {
    let edits: [fn(&mut Value); 8] = [
        |answer| answer["expires_in"] = json!("7200"),
        |answer| answer["expires_in"] = json!(7200.5),
        |answer| answer["expires_in"] = Value::Null,
        |answer| answer["expires_in"] = json!(-5),
        |answer| answer["expires_in"] = json!({"seconds": 7200}),
        |answer| drop(answer.as_object_mut().map(|fields| fields.remove("expires_in"))),
        |answer| answer["error"] = Value::Null,
        |answer| *answer = json!({ "data": answer.take() }),
    ];
    for (index, edit) in edits.into_iter().enumerate() {
        let source = Source::small().await;
        let middleman = Middleman::before(&source.sim.url, move |path, _| {
            if path.contains("oauth") { Reply::Edit(edit) } else { Reply::Forward }
        })
        .await;
        let api = source.api_at(&middleman.url, Authentication::OAuth, tokens());
        for name in ["users", "clients"] {
            let report = source.serve_with(&api, &Source::job(entity(name), TICK)).await.remove(0);
            assert_eq!(report.status, ReportStatus::Success, "{index}: {report:?}");
        }
        // The rotated refresh token is kept: it renews the next access token.
        source.control("/_sim/expire", &json!({"access": true})).await;
        let report = source.serve_with(&api, &Source::job(entity("users"), TICK)).await.remove(0);
        assert_eq!(report.status, ReportStatus::Success, "{index}: {report:?}");
    }
}

#[tokio::test]
async fn refused_token_in_any_form_is_renewed() {
    let refusals: [fn() -> Reply; 4] = [
        || Reply::status(403),
        || Reply::Answer(302, vec![("location", "/users/sign_in".to_owned())], String::new()),
        || Reply::json(&errors("UNAUTHENTICATED")),
        || Reply::Answer(200, vec![("content-type", "text/html".to_owned())], "<html>Connexion".to_owned()),
    ];
    for (index, refusal) in refusals.into_iter().enumerate() {
        let source = Source::small().await;
        let middleman = first_answered(&source, 1, refusal).await;
        let api = source.api_at(&middleman.url, Authentication::OAuth, tokens());
        let report = source.serve_with(&api, &Source::job(entity("users"), TICK)).await.remove(0);
        assert_eq!(report.status, ReportStatus::Success, "{index}: {report:?}");
        assert_eq!(source.stat("/tokens_issued").await, json!(1), "{index}");
    }
}

#[tokio::test]
async fn space_around_a_key_is_dropped_and_an_illegal_key_is_named() {
    let source = Source::small().await;
    let job = || Source::job(entity("users"), TICK);
    for key in ["sim-key\n", " sim-key\r\n", "\u{feff}sim-key"] {
        let report = source.serve_with(&source.api(key), &job()).await.remove(0);
        assert_eq!(report.status, ReportStatus::Success, "{key:?}: {report:?}");
    }
    let report = source.serve_with(&source.api("sim\nkey"), &job()).await.remove(0);
    let error = report.error.clone().unwrap_or_default();
    assert_eq!(
        (report.status, report.action),
        (ReportStatus::Failed, Some(ActionKind::Credentials)),
        "{report:?}"
    );
    assert!(error.contains("`api_key` in the secret") && !error.contains("sim\nkey"), "{error}");
}

/// Returns a client of S3 whose requests go to this address.
fn s3_at(url: &str) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("ca-central-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(url)
        .force_path_style(true)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

fn s3_error(status: u16, code: &str) -> Reply {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>m</Message></Error>");
    Reply::Answer(status, vec![("content-type", "application/xml".to_owned())], body)
}

/// Starts a bucket that holds nothing and answers the first writes with an error.
async fn undecided_bucket(writes: u32, error: fn() -> Reply) -> Middleman {
    let left = AtomicU32::new(writes);
    Middleman::before("127.0.0.1:1", move |_, body| {
        if body.is_empty() {
            return s3_error(404, "NoSuchKey");
        }
        match left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
            Ok(_) => error(),
            Err(_) => Reply::Answer(200, vec![("etag", "\"1\"".to_owned())], String::new()),
        }
    })
    .await
}

#[tokio::test]
async fn undecided_write_is_sent_again() {
    let errors: [fn() -> Reply; 2] =
        [|| s3_error(409, "ConditionalRequestConflict"), || s3_error(503, "SlowDown")];
    for error in errors {
        let bucket = undecided_bucket(2, error).await;
        let sink = S3RawSink::new(s3_at(&bucket.url), "bucket".to_owned());
        let written = sink.store_page("raw/users/page-00001.json", b"{}".to_vec()).await;
        assert!(matches!(written, Ok(PageWrite::Created)), "{written:?}");
        let bucket = undecided_bucket(2, error).await;
        let store = S3ObjectStore { client: s3_at(&bucket.url), bucket: "bucket".to_owned() };
        let store = ObjectStore::S3(store);
        let mut state: Object<Vec<u32>> = store.load("state/users/full.json").await.expect("no state yet");
        state.value.push(1);
        let saved = store.save(&mut state).await;
        assert!(saved.is_ok(), "{saved:?}");
    }
}

#[tokio::test]
async fn write_that_stays_undecided_is_a_conflict() {
    let bucket = undecided_bucket(u32::MAX, || s3_error(409, "ConditionalRequestConflict")).await;
    let store = ObjectStore::S3(S3ObjectStore { client: s3_at(&bucket.url), bucket: "bucket".to_owned() });
    let mut state: Object<Vec<u32>> = store.load("state/users/full.json").await.expect("no state yet");
    let saved = store.save(&mut state).await;
    assert!(matches!(saved, Err(StateError::Conflict { .. })), "{saved:?}");
}
