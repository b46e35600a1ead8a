//! Session of a test with its own running simulation.

use std::collections::BTreeMap;

use gazelle_sim::{RunningSim, SimConfig, serve};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

/// Running simulation with an HTTP client.
pub(crate) struct Session {
    pub(crate) sim: RunningSim,
    http: reqwest::Client,
}

/// Returns the default configuration with a fixed current time.
pub(crate) fn fixed_config() -> SimConfig {
    SimConfig { now: "2026-03-01T00:00:00Z".parse().ok(), ..SimConfig::default() }
}

/// Returns a configuration with little data, for tests that do not depend on it.
pub(crate) fn small_config() -> SimConfig {
    SimConfig { users: 3, clients: 20, pianos: 20, timeline: 100, ..fixed_config() }
}

impl Session {
    pub(crate) async fn start(config: SimConfig) -> Self {
        Self { sim: serve(config, 0).await.unwrap(), http: reqwest::Client::new() }
    }

    pub(crate) fn request(&self, path: &str, body: &Value) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.sim.url)).body(body.to_string())
    }

    pub(crate) async fn graphql(&self, query: &str, variables: Value) -> Response {
        self.try_graphql(query, variables).await.unwrap()
    }

    pub(crate) async fn try_graphql(&self, query: &str, variables: Value) -> reqwest::Result<Response> {
        self.request("/graphql/private", &json!({"query": query, "variables": variables}))
            .header("x-gazelle-api-key", "sim-key")
            .send()
            .await
    }

    pub(crate) async fn text(&self, query: &str) -> String {
        self.graphql(query, json!({})).await.text().await.unwrap()
    }

    pub(crate) async fn query(&self, query: &str, variables: Value) -> Value {
        serde_json::from_str(&self.graphql(query, variables).await.text().await.unwrap()).unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let response = self.request(path, &body).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path} {body}");
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let response = self.http.get(format!("{}{path}", self.sim.url)).send().await.unwrap();
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    pub(crate) async fn get_status(&self, path: &str) -> u16 {
        self.http.get(format!("{}{path}", self.sim.url)).send().await.unwrap().status().as_u16()
    }

    /// Returns the truth of a table: its rows by id.
    pub(crate) async fn truth(&self, table: &str) -> BTreeMap<String, Value> {
        let truth = self.get(&format!("/_sim/truth/{table}")).await;
        let rows = truth["rows"].as_array().unwrap();
        rows.iter().map(|row| (row["id"].as_str().unwrap().to_owned(), row.clone())).collect()
    }

    /// Returns the truth of a table, with the rows of its child tables added to each row.
    pub(crate) async fn truth_with_children(&self, table: &str) -> BTreeMap<String, Value> {
        let mut rows = self.truth(table).await;
        let truth = self.get(&format!("/_sim/truth/{table}")).await;
        for (name, lines) in truth["parts"].as_object().unwrap() {
            let parent = if table == "invoices" { "invoice_id" } else { "appointment_id" };
            for row in rows.values_mut() {
                row[name] = json!([]);
            }
            for line in lines.as_array().unwrap() {
                let row = rows.get_mut(line[parent].as_str().unwrap()).unwrap();
                row[name].as_array_mut().unwrap().push(line.clone());
            }
        }
        rows
    }

    /// Fetches all nodes of a connection, page by page.
    pub(crate) async fn fetch_all(
        &self,
        field: &str,
        arguments: &str,
        selection: &str,
        first: usize,
    ) -> Vec<Value> {
        let query = format!(
            "query Page($after: String) {{ {field}(first: {first}, after: $after{arguments}) \
             {{ totalCount nodes {{ {selection} }} pageInfo {{ hasNextPage endCursor }} }} }}"
        );
        let mut nodes = Vec::new();
        let mut after = Value::Null;
        loop {
            let body = self.query(&query, json!({"after": after})).await;
            let page = &body["data"][field];
            nodes.extend(page["nodes"].as_array().unwrap().iter().cloned());
            if page["pageInfo"]["hasNextPage"] == false {
                assert_eq!(page["totalCount"], nodes.len());
                return nodes;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
    }
}
