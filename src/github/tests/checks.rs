//! Check runs.

use super::*;

fn check(annotations: usize) -> Check {
    Check {
        name: "llm-deploy (a.yaml)".to_owned(),
        head_sha: "a".repeat(40),
        details_url: Some("https://github.com/acme/models/actions/runs/42".to_owned()),
        external_id: "42.1".to_owned(),
        conclusion: Conclusion::Failure,
        title: "Preview failed".to_owned(),
        summary: "### Preview failed".to_owned(),
        annotations: (1..=annotations)
            .map(|line| Annotation {
                path: "llm-deploy.yaml".to_owned(),
                line,
                title: "qwen: no GPU\n".to_owned(),
                message: "cause\nfix".to_owned(),
            })
            .collect(),
    }
}

#[tokio::test]
async fn a_check_run_says_how_it_ended_and_where() {
    let server = Server::start(|_, _| reply(201, &json!({ "id": 7 }))).await;
    server.github().check_run(&check(1)).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].path, "/api/v3/repos/acme/models/check-runs");
    assert_eq!(
        seen[0].body,
        json!({
            "name": "llm-deploy (a.yaml)", "head_sha": "a".repeat(40), "status": "completed", "conclusion": "failure",
            "details_url": "https://github.com/acme/models/actions/runs/42", "external_id": "42.1",
            "output": {
                "title": "Preview failed", "summary": "### Preview failed",
                "annotations": [{
                    "path": "llm-deploy.yaml", "start_line": 1, "end_line": 1, "annotation_level": "failure",
                    "title": "qwen: no GPU", "message": "cause\nfix",
                }],
            },
        })
    );
}

#[tokio::test]
async fn more_than_fifty_annotations_come_in_parts() {
    let server = Server::start(|_, _| reply(201, &json!({ "id": 7 }))).await;
    server.github().check_run(&check(120)).await.unwrap();
    let counts: Vec<usize> = server
        .seen()
        .iter()
        .map(|s| s.body["output"]["annotations"].as_array().unwrap().len())
        .collect();
    assert_eq!(counts, [50, 50, 20]);
    assert_eq!(server.seen()[1].path, "/api/v3/repos/acme/models/check-runs/7");
    assert_eq!(server.count(&Method::PATCH), 2);
}

#[tokio::test]
async fn a_check_run_whose_write_ended_unclear_is_not_made_twice() {
    for there in [true, false] {
        let server = Server::start(move |seen, before| match seen.method {
            Method::GET => {
                let own = json!({ "id": 8, "external_id": "42.1" });
                let other = json!({ "id": 7, "external_id": "41.1" });
                let runs = if there { vec![other, own] } else { vec![other] };
                reply(200, &json!({ "total_count": runs.len(), "check_runs": runs }))
            }
            _ if before == 0 => reply(502, &json!({})),
            _ => reply(201, &json!({ "id": 9 })),
        })
        .await;
        server.github().check_run(&check(0)).await.unwrap();
        assert_eq!(server.count(&Method::POST), if there { 1 } else { 2 });
        let get = server
            .seen()
            .into_iter()
            .find(|s| s.method == Method::GET)
            .unwrap();
        assert!(
            get.path.contains("check_name=llm%2Ddeploy%20%28a%2Eyaml%29"),
            "{}",
            get.path
        );
    }
}

#[tokio::test]
async fn without_the_permission_there_is_one_request() {
    let server = Server::start(|_, _| {
        reply(
            403,
            &json!({ "message": "Resource not accessible by integration" }),
        )
    })
    .await;
    let error = server.github().check_run(&check(1)).await.unwrap_err();
    assert!(error.to_string().contains("checks: write"), "{error}");
    assert_eq!(server.seen().len(), 1);
}
