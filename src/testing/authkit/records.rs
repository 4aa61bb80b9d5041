//! What all endpoints with an API key share: their replies, parameters and lists.

#![allow(clippy::unnecessary_wraps, reason = "the replies end the arms of tables of endpoints")]

use std::collections::HashMap;

use http::StatusCode;
use serde_json::{Value, json};

use super::refusal::Refusal;

pub(super) type ApiReply = Result<(StatusCode, Value), Refusal>;

pub(super) fn ok(value: Value) -> ApiReply {
    Ok((StatusCode::OK, value))
}

pub(super) fn created(value: Value) -> ApiReply {
    Ok((StatusCode::CREATED, value))
}

pub(super) fn no_content() -> ApiReply {
    Ok((StatusCode::NO_CONTENT, Value::Null))
}

/// A required parameter.
pub(super) fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    body[name].as_str().ok_or(Refusal::MISSING_PARAMETER)
}

pub(super) fn find<'a>(records: &'a mut [Value], id: &str) -> Result<&'a mut Value, Refusal> {
    records.iter_mut().find(|record| record["id"] == id).ok_or(Refusal::NotFound)
}

pub(super) type Query = HashMap<String, String>;

/// The records whose fields have the values that the query asks for.
pub(super) fn matching(records: &[Value], query: &Query, fields: &[&str]) -> Vec<Value> {
    let wanted =
        |record: &&Value| fields.iter().all(|field| query.get(*field).is_none_or(|value| record[field] == *value));
    records.iter().filter(wanted).cloned().collect()
}

/// One page of records. They are given with the oldest first.
pub(super) fn list(mut records: Vec<Value>, query: &Query) -> ApiReply {
    if query.get("order").is_none_or(|order| order != "asc") {
        records.reverse();
    }
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(10_usize).clamp(1, 100);
    let position = |name: &str| {
        let id = query.get(name)?;
        records.iter().position(|record| record["id"] == *id)
    };
    let (start, end) = match (position("after"), position("before")) {
        (Some(index), _) => (index + 1, records.len().min(index + 1 + limit)),
        (None, Some(index)) => (index.saturating_sub(limit), index),
        (None, None) => (0, records.len().min(limit)),
    };
    let cursor = |more: bool, index: usize| if more { records[index]["id"].clone() } else { Value::Null };
    let before = cursor(start > 0 && start < end, start);
    let after = cursor(end < records.len() && start < end, end.saturating_sub(1));
    ok(json!({
        "object": "list",
        "data": &records[start.min(end)..end],
        "list_metadata": {"before": before, "after": after},
    }))
}
