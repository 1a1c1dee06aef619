//! Frames of the protocol as text, both ways. It must not know what they are about.

use serde_json::{Value as Json, json};

/// A frame from a client.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    pub join_ref: Option<String>,
    pub reference: Option<String>,
    pub topic: String,
    pub event: String,
    pub payload: Json,
}

/// A frame to a client.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer(Json);

impl Answer {
    pub fn text(&self) -> String {
        self.0.to_string()
    }
}

impl Frame {
    /// Reads `[join_ref, ref, topic, event, payload]`; the error says what is wrong with it.
    pub fn read(text: &str) -> Result<Frame, String> {
        let json: Json = serde_json::from_str(text).map_err(|error| format!("the frame is not JSON: {error}"))?;
        let Json::Array(parts) = json else {
            return Err("a frame is an array [join_ref, ref, topic, event, payload]".into());
        };
        let n_parts = parts.len();
        let Ok([join_ref, reference, topic, event, payload]) = <[Json; 5]>::try_from(parts) else {
            return Err(format!("a frame has five parts, not {n_parts}"));
        };
        let reference_of = |json: Json| match json {
            Json::Null => Ok(None),
            Json::String(text) => Ok(Some(text)),
            Json::Number(n) => Ok(Some(n.to_string())),
            _ => Err("a reference is text".to_string()),
        };
        match (topic, event) {
            (Json::String(topic), Json::String(event)) => Ok(Frame {
                join_ref: reference_of(join_ref)?,
                reference: reference_of(reference)?,
                topic,
                event,
                payload,
            }),
            _ => Err("topic and event are text".into()),
        }
    }

    /// The answer to this frame; `status` is `ok` or `error`.
    pub fn reply(&self, status: &str, response: &Json) -> Answer {
        let payload = json!({ "status": status, "response": response });
        Answer(json!([self.join_ref, self.reference, self.topic, "phx_reply", payload]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_and_answered() {
        let frame = Frame::read(r#"["1","2","room:1","hello",{"a":1}]"#).unwrap();
        assert_eq!((frame.topic.as_str(), frame.event.as_str()), ("room:1", "hello"));
        let answer = frame.reply("ok", &json!({})).text();
        assert_eq!(answer, r#"["1","2","room:1","phx_reply",{"status":"ok","response":{}}]"#);
    }

    #[test]
    fn hostile_frames_are_errors() {
        for text in ["", "{}", "[]", "[1,2,3,4]", "[null,null,3,\"x\",{}]", "[[],null,\"t\",\"e\",{}]", "[1,2,3,4,5,6]"]
        {
            assert!(Frame::read(text).is_err(), "{text}");
        }
        assert!(Frame::read(&"[".repeat(100_000)).is_err());
    }
}
