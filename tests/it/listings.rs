//! Listings of everything: what proves that they are complete, and what is stored again.

use fetcher::report::{ReportStatus, RunReport};
use gazelle_client::Gazelle;
use gazelle_sim::SimConfig;
use model::entity::Entity;
use pipeline_tests::mirror::entity;
use pipeline_tests::process::{Middleman, Reply};
use pipeline_tests::source::{Source, TICK};
use protocol::request::Mode;
use serde_json::json;

async fn without_oddities() -> Source {
    let config =
        SimConfig { timeline: 600, clients: 120, pianos: 130, oddities: false, ..SimConfig::default() };
    Source::open(config).await
}

async fn tick(source: &Source, api: &Gazelle, entity: &'static Entity) -> Vec<RunReport> {
    source.serve_with(api, &Source::job(entity, TICK)).await
}

#[tokio::test]
async fn error_beside_complete_data_stops_no_proof() {
    for entity in [entity("clients"), entity("timeline")] {
        let source = without_oddities().await;
        let middleman = Middleman::before(&source.sim.url, |_, _| {
            Reply::Edit(|body| body["errors"] = json!([{"message": null}, null, "text"]))
        })
        .await;
        let api = source.api_behind(&middleman.url);
        let report = source.serve_with(&api, &Source::job(entity, Mode::Full)).await.remove(0);
        let error = report.error.clone().unwrap_or_default();
        assert!(report.status == ReportStatus::Partial && error.contains("answered in part"), "{report:?}");
        let manifest = source.last_manifest(entity, "full");
        assert_eq!(
            (&manifest["proves_absence"], &manifest["distinct"]),
            (&json!(true), &manifest["total_count"])
        );
        // Nor does it make every tick store everything.
        for _ in 0..2 {
            tick(&source, &api, entity).await;
        }
        let report = tick(&source, &api, entity).await.remove(0);
        assert!(report.status == ReportStatus::Partial && report.pages == 0, "{report:?}");
    }
}

#[tokio::test]
async fn capped_count_is_shown_with_what_was_listed() {
    let (source, clients) = (without_oddities().await, entity("clients"));
    let middleman = Middleman::before(&source.sim.url, |_, _| {
        Reply::Edit(|body| body["data"]["allClients"]["totalCount"] = json!(100))
    })
    .await;
    let api = source.api_behind(&middleman.url);
    let reports = source.serve_with(&api, &Source::job(clients, Mode::Full)).await;
    assert!(reports.iter().all(|report| report.status == ReportStatus::Partial), "{reports:?}");
    let manifest = source.last_manifest(clients, "full");
    assert_eq!((&manifest["total_count"], &manifest["distinct"]), (&json!(100), &json!(120)), "{manifest:#}");
    assert_eq!(manifest["proves_absence"], json!(false));
}

#[tokio::test]
async fn moved_listing_seeds_no_page_digests() {
    let (source, appointments) = (without_oddities().await, entity("appointments"));
    tick(&source, &source.api("sim-key"), appointments).await;
    tick(&source, &source.api("sim-key"), appointments).await;
    let moved = Middleman::before(&source.sim.url, |_, body| {
        let is_first = body.contains(r#""after":null"#);
        if is_first {
            Reply::Edit(|body| {
                let count = body["data"].as_object_mut().and_then(|data| data.values_mut().next());
                if let Some(root) = count {
                    root["totalCount"] = json!(root["totalCount"].as_u64().unwrap_or(0) + 1);
                }
            })
        } else {
            Reply::Forward
        }
    })
    .await;
    source.control("/_sim/advance", &json!({"edits": 5, "entity": "appointments"})).await;
    let report = tick(&source, &source.api_behind(&moved.url), appointments).await.remove(0);
    assert_eq!(report.status, ReportStatus::Partial, "{report:?}");
    // Unchanged since, but not proven: everything is stored once more.
    let report = tick(&source, &source.api("sim-key"), appointments).await.remove(0);
    assert!(
        report.status == ReportStatus::Success && report.pages_passed == 0 && report.pages > 0,
        "{report:?}"
    );
    let report = tick(&source, &source.api("sim-key"), appointments).await.remove(0);
    assert_eq!((report.pages, report.status), (0, ReportStatus::Success), "{report:?}");
}

#[tokio::test]
async fn lasting_contradiction_stores_nothing_again_and_again() {
    let (source, appointments) = (without_oddities().await, entity("appointments"));
    let middleman = Middleman::before(&source.sim.url, |_, _| {
        Reply::Edit(|body| {
            if let Some(root) = body["data"].as_object_mut().and_then(|data| data.values_mut().next()) {
                root["totalCount"] = json!(7_777);
            }
        })
    })
    .await;
    let api = source.api_behind(&middleman.url);
    for _ in 0..4 {
        tick(&source, &api, appointments).await;
    }
    let report = tick(&source, &api, appointments).await.remove(0);
    assert!(report.status == ReportStatus::Partial && report.pages == 0, "{report:?}");
}
