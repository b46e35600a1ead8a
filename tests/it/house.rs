//! House rules: dependencies between crates, and the place of SQL, entities and documents.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use model::entity;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Returns the names of all packages in the dependency tree of a package.
fn tree(package: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree", "--offline", "--locked", "-p", package, "-e", "normal", "--prefix", "none", "-f", "{p}",
        ])
        .current_dir(root())
        .output()
        .expect("cargo tree");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listing = String::from_utf8_lossy(&output.stdout).into_owned();
    listing.lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
}

/// Returns path and text of the Rust sources below a folder of the workspace.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} holds no source");
    found
}

#[test]
fn crate_dependencies_follow_the_architecture() {
    let functions = ["fetcher", "stager", "reconciler", "health", "alerter"];
    for (package, forbidden) in [
        ("fetcher", vec!["sqlx", "sqlx-core", "sqlx-postgres", "db"]),
        ("model", vec!["tokio", "reqwest", "sqlx", "aws-config", "aws-sdk-s3", "hyper", "lambda_runtime"]),
        ("protocol", vec!["tokio", "reqwest", "sqlx", "aws-config", "aws-sdk-s3", "hyper", "lambda_runtime"]),
        ("i18n", vec!["tokio", "reqwest", "sqlx", "aws-config", "aws-sdk-s3", "hyper", "lambda_runtime"]),
        ("lambda", vec!["sqlx", "db", "reqwest"]),
        ("gazelle-client", vec!["sqlx", "db", "lambda_runtime"]),
        (
            "db",
            vec![
                "aws-config",
                "aws-sdk-s3",
                "aws-sdk-secretsmanager",
                "aws-sdk-sqs",
                "lambda",
                "reqwest",
                "lambda_runtime",
            ],
        ),
        ("stager", vec!["reqwest"]),
        ("reconciler", vec!["reqwest", "aws-sdk-s3"]),
        ("health", vec!["reqwest", "aws-sdk-s3"]),
        ("object-store", vec!["sqlx", "db", "reqwest", "lambda_runtime"]),
        ("admin", vec!["lambda_runtime"]),
    ] {
        let names = tree(package);
        assert!(names.iter().any(|name| name == package), "{package} in its own tree");
        for name in forbidden {
            assert!(!names.iter().any(|known| known == name), "{package} must not know {name}");
        }
        for function in functions.into_iter().filter(|function| *function != package) {
            assert!(!names.iter().any(|known| known == function), "{package} must not know {function}");
        }
    }
}

#[test]
fn sql_stands_in_the_db_crate_alone() {
    for folder in [
        "admin",
        "functions",
        "shared/gazelle-client",
        "shared/i18n",
        "shared/lambda",
        "shared/model",
        "shared/object-store",
        "shared/protocol",
    ] {
        for (path, text) in sources(folder) {
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for word in [
                "sqlx::query", "sqlx::raw_sql", "use sqlx", "insert into ", "update set", "select * ",
                "delete from ",
            ] {
                assert!(!code.contains(word), "{}: `{word}`", path.display());
            }
        }
    }
}

#[test]
fn no_engine_names_an_entity() {
    for (path, text) in
        sources("functions").into_iter().chain(sources("shared/db")).chain(sources("shared/lambda"))
    {
        if path.ends_with("bin/fetch.rs") || path.ends_with("tests.rs") {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for entity in entity::ALL {
                assert!(!line.contains(&format!("\"{}\"", entity.name)), "{}: {line}", path.display());
                assert!(!line.contains(&format!("{} ", entity.staging_table)), "{}: {line}", path.display());
            }
        }
    }
}

#[test]
fn source_files_are_short_and_documented() {
    for folder in ["admin", "functions", "shared", "tests"] {
        for (path, text) in sources(folder) {
            let lines = text.lines().count();
            assert!(lines <= 520, "{}: {lines} lines", path.display());
            assert!(text.starts_with("//!"), "{} opens without a sentence on what it is for", path.display());
        }
    }
}

#[test]
fn every_rule_is_unique_and_documented() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("a document");
    let mut seen = std::collections::BTreeSet::new();
    for entity in entity::ALL {
        for rule in entity.rules {
            assert!(seen.insert((entity.name, rule.name)), "{}: {} twice", entity.name, rule.name);
            assert!(architecture.contains(rule.name), "ARCHITECTURE.md does not say: {}", rule.name);
        }
    }
}

#[test]
fn grafana_dashboard_uses_existing_metrics() {
    let text = fs::read_to_string(root().join("infra/grafana/dashboard.json")).expect("the dashboard");
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let metrics = fs::read_to_string(root().join("functions/health/src/metrics.rs")).expect("the metrics");
    let mut shown = 0;
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().expect("targets") {
            let expression = target["expr"].as_str().expect("an expression");
            let names = expression
                .split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
                .filter(|word| word.starts_with("gazelle_"));
            for name in names {
                assert!(metrics.contains(&format!("\"{name}\"")), "{name} is no number of ours");
                shown += 1;
            }
        }
    }
    assert!(shown >= 9, "{shown}");
}
