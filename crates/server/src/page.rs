//! The web page: the files of `web/dist`, which are a part of the program.
//!
//! The page's own build has compressed them already: `NAME.br` and `NAME.gz` lie beside `NAME`.

use crate::api::nothing;
use axum::body::Body;
use axum::extract::OriginalUri;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

/// The page as it was when the program was built; empty if it wasn't built before.
#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Built;

/// What is below is never the page's.
const API: &str = "/api";

/// What all places of the page begin with.
const INDEX: &str = "index.html";

/// The folder of files whose names change with what is in them.
const HASHED: &str = "assets/";

/// Compressed forms, the smaller one first: name in HTTP and of the file.
const FORMS: [(&str, &str); 2] = [("br", "br"), ("gzip", "gz")];

const ABSENT: &str = "\
This program was built without its web page.

Build the page, then the program again:

    make web
    make build

The API is there without it: /api/v1, described in /api/openapi.json.
";

/// Answers with a file of the page. Its places, such as `/clusters/home`, are known to the page alone: they get its
/// beginning.
pub(crate) async fn page(uri: OriginalUri, method: Method, headers: HeaderMap) -> Response {
    let api = uri.path() == API || uri.path().starts_with(&format!("{API}/"));
    if api || (method != Method::GET && method != Method::HEAD) {
        return nothing(uri).await.into_response();
    }
    match answer(Built::get, uri.path(), &headers) {
        Some(response) if method == Method::HEAD => response.map(|_| Body::empty()),
        Some(response) => response,
        None => nothing(uri).await.into_response(),
    }
}

/// The answer for a path; `None` where nothing is.
fn answer(
    find: impl Fn(&str) -> Option<EmbeddedFile>,
    path: &str,
    headers: &HeaderMap,
) -> Option<Response> {
    let asked = path.trim_start_matches('/');
    let name = match find(asked) {
        Some(_) => asked,
        // A page that is older than the program must not get HTML for a script.
        None if asked.starts_with(HASHED) => return None,
        None => INDEX,
    };
    let Some(plain) = find(name) else {
        let kind = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
        return Some((StatusCode::NOT_FOUND, kind, ABSENT).into_response());
    };
    let wished = headers
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let compressed = FORMS
        .iter()
        .filter(|(form, _)| accepts(wished, form))
        .find_map(|(form, end)| Some((*form, find(&format!("{name}.{end}"))?)));
    let (form, file) = match compressed {
        Some((form, file)) => (Some(form), file),
        None => (None, plain),
    };
    Some(told(name, form, file, headers))
}

/// The file with what a browser should know of it, or that it has it already.
fn told(
    name: &str,
    form: Option<&'static str>,
    file: EmbeddedFile,
    headers: &HeaderMap,
) -> Response {
    let tag = format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16]));
    let known = headers
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|tags| matches(tags, &tag));
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => {
            let length = HeaderValue::from(file.data.len());
            let body = match file.data {
                std::borrow::Cow::Borrowed(bytes) => Body::from(bytes),
                std::borrow::Cow::Owned(bytes) => Body::from(bytes),
            };
            let mut response = Response::new(body);
            let told = response.headers_mut();
            told.insert(CONTENT_LENGTH, length);
            told.insert(CONTENT_TYPE, HeaderValue::from_static(kind(name)));
            if let Some(form) = form {
                told.insert(CONTENT_ENCODING, HeaderValue::from_static(form));
            }
            response
        }
    };
    let told = response.headers_mut();
    let keep = match name.starts_with(HASHED) {
        true => "public, max-age=31536000, immutable",
        // Kept, but asked for each time: it names the files of this very build.
        false => "no-cache",
    };
    told.insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    told.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        told.insert(ETAG, tag);
    }
    response
}

/// Whether one of a list of tags is that one (RFC 9110, 13.1.2: weak comparison).
fn matches(tags: &str, tag: &str) -> bool {
    tags.split(',')
        .map(|one| one.trim().trim_start_matches("W/"))
        .any(|one| one == tag || one == "*")
}

/// Whether `Accept-Encoding` lets a form through (RFC 9110, 12.5.3).
fn accepts(wished: &str, form: &str) -> bool {
    let weight = |name: &str| {
        wished.split(',').find_map(|one| {
            let mut parts = one.split(';').map(str::trim);
            let is = parts.next()?.eq_ignore_ascii_case(name);
            let q = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
            is.then_some(q.unwrap_or(1.0))
        })
    };
    weight(form).or_else(|| weight("*")).unwrap_or(0.0) > 0.0
}

/// The content type of the kinds of files that the page has.
fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use rust_embed::Metadata;

    fn find(name: &str) -> Option<EmbeddedFile> {
        let text = match name {
            "index.html" => "<p>begin",
            "index.html.br" => "the smallest",
            "index.html.gz" => "small",
            "assets/page-1a2b.js" => "go()",
            "icon.svg" => "<svg/>",
            _ => return None,
        };
        let mut hash = [7; 32];
        hash[0] = u8::try_from(text.len()).unwrap();
        Some(EmbeddedFile {
            data: text.as_bytes().into(),
            metadata: Metadata::__rust_embed_new(hash, None, None),
        })
    }

    fn asked(path: &str, headers: &[(axum::http::HeaderName, &'static str)]) -> Option<Response> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(name, HeaderValue::from_static(value));
        }
        answer(find, path, &map)
    }

    fn header(response: &Response, name: axum::http::HeaderName) -> &str {
        response
            .headers()
            .get(name)
            .map_or("", |v| v.to_str().unwrap())
    }

    async fn text(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await;
        String::from_utf8(bytes.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn every_place_of_the_page_begins_alike() {
        for path in ["/", "/clusters/home", "/first", "/index.html"] {
            let response = asked(path, &[]).unwrap();
            assert_eq!(header(&response, CONTENT_TYPE), "text/html; charset=utf-8");
            assert_eq!(header(&response, CACHE_CONTROL), "no-cache");
            assert_eq!(text(response).await, "<p>begin");
        }
        assert!(asked("/assets/page-0000.js", &[]).is_none());
    }

    #[tokio::test]
    async fn a_file_that_is_named_by_what_is_in_it_is_kept_for_ever() {
        let response = asked("/assets/page-1a2b.js", &[]).unwrap();
        let kept = header(&response, CACHE_CONTROL);
        assert!(kept.contains("immutable"), "{kept}");
        assert_eq!(
            header(&response, CONTENT_TYPE),
            "text/javascript; charset=utf-8"
        );
        assert_eq!(text(response).await, "go()");
    }

    #[tokio::test]
    async fn the_smallest_form_that_is_wished_for_is_sent() {
        for (wished, form, body) in [
            ("gzip, deflate, br, zstd", "br", "the smallest"),
            ("gzip", "gzip", "small"),
            ("br;q=0, *", "gzip", "small"),
            ("BR; q=0.5", "br", "the smallest"),
            ("identity", "", "<p>begin"),
            ("*;q=0", "", "<p>begin"),
        ] {
            let response = asked("/", &[(ACCEPT_ENCODING, wished)]).unwrap();
            assert_eq!(header(&response, CONTENT_ENCODING), form, "{wished}");
            assert_eq!(header(&response, VARY), "accept-encoding");
            assert_eq!(header(&response, CONTENT_LENGTH), body.len().to_string());
            assert_eq!(text(response).await, body, "{wished}");
        }
        // There is none of a picture.
        let response = asked("/icon.svg", &[(ACCEPT_ENCODING, "br")]).unwrap();
        assert_eq!(header(&response, CONTENT_ENCODING), "");
    }

    #[tokio::test]
    async fn what_a_browser_has_is_not_sent_again() {
        let first = asked("/", &[]).unwrap();
        let tag = header(&first, ETAG).to_owned();
        let known: &'static str = format!("\"x\", W/{tag}").leak();
        let again = asked("/", &[(IF_NONE_MATCH, known)]).unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(header(&again, ETAG), tag);
        assert_eq!(text(again).await, "");
        // Another form is another answer.
        let other = asked("/", &[(IF_NONE_MATCH, known), (ACCEPT_ENCODING, "br")]).unwrap();
        assert_eq!(other.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn a_program_without_its_page_says_how_to_build_it() {
        let response = answer(|_| None, "/clusters", &HeaderMap::new()).unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(text(response).await.contains("make web"));
    }
}
