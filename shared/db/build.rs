//! Has the migrations embedded anew when a file is added.

fn main() {
    println!("cargo::rerun-if-changed=../../infra/migrations");
}
