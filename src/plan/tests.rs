use serde_json::{Value, json};

use super::{
    target::label,
    testing::{facts, preview, production, read_back},
    *,
};

const ENV: &str = "service: { env: { A: x, EMPTY: '', Z: y }, secrets: { KEY: api-key }, min-instances: 1 }";

/// The plan for a target whose live service is as it should be, but for `change`.
fn plan(target: Target, change: impl FnOnce(&mut Value)) -> ModelPlan {
    let first = make(target.clone(), facts(None)).unwrap();
    let mut live = read_back(&first.desired("sha256:1"));
    live["scaling"] = json!({"minInstanceCount": target.model.service.min_instances});
    change(&mut live);
    make(target, facts(Some(serde_json::from_value(live).unwrap()))).unwrap()
}

fn statuses(shares: &[(&str, u32, &str)]) -> Value {
    let status = |(revision, percent, tag): &(&str, u32, &str)| {
        let mut status = json!({"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": revision});
        if *percent > 0 {
            status["percent"] = json!(percent);
        }
        if !tag.is_empty() {
            status["tag"] = json!(tag);
            status["uri"] = json!(format!("https://{tag}---s.example"));
        }
        status
    };
    shares.iter().map(status).collect()
}

#[test]
fn what_the_server_gives_back_of_what_we_sent_is_no_reason_to_change_anything() {
    for target in [
        production(ENV),
        preview(ENV),
        production("service: { access: public }"),
    ] {
        assert_eq!(plan(target, |_| ()).action, Action::Nothing);
    }
}

#[test]
fn a_service_that_is_not_there_is_created_and_one_that_differs_gets_a_revision() {
    assert_eq!(make(production(""), facts(None)).unwrap().action, Action::Create);
    let changed = plan(production(""), |live| live["template"]["timeout"] = json!("300s"));
    let Action::Update {
        changes,
        new_revision,
    } = changed.action
    else {
        panic!("{:?}", changed.action)
    };
    assert!(new_revision);
    assert_eq!(changes[0].to_string(), "template.timeout: 300s → 600s");
}

#[test]
fn settings_of_the_service_are_changed_without_a_new_revision() {
    for (key, value) in [
        ("ingress", json!("INGRESS_TRAFFIC_INTERNAL_ONLY")),
        ("invokerIamDisabled", json!(true)),
        ("scaling", json!({"minInstanceCount": 2})),
    ] {
        let action = plan(production(""), |live| live[key] = value.clone()).action;
        assert!(
            matches!(&action, Action::Update { new_revision: false, changes } if changes.len() == 1),
            "{key}: {action:?}"
        );
    }
}

#[test]
fn a_revision_that_failed_is_tried_again_and_one_that_is_starting_is_waited_for() {
    let newer = json!("projects/p/locations/r/services/s/revisions/r2");
    let failed = plan(production(""), |live| {
        live["latestCreatedRevision"] = newer.clone();
    });
    assert!(
        matches!(
            failed.action,
            Action::Update {
                new_revision: true,
                ..
            }
        ),
        "{:?}",
        failed.action
    );
    let starting = |live: &mut Value| {
        live["latestCreatedRevision"] = newer.clone();
        live["reconciling"] = json!(true);
    };
    let wait = plan(production(""), starting);
    assert_eq!(
        wait.action,
        Action::Wait {
            revision: "r2".to_owned()
        }
    );
    assert_eq!(wait.steps(), ["wait for revision r2, which is on its way"]);
    let changed = plan(production(""), |live| {
        starting(live);
        live["template"]["timeout"] = json!("300s");
    });
    assert!(
        matches!(
            changed.action,
            Action::Update {
                new_revision: true,
                ..
            }
        ),
        "{:?}",
        changed.action
    );
}

#[test]
fn a_candidate_that_was_never_given_the_traffic_is_taken_up_again() {
    let waiting = statuses(&[("r0", 100, ""), ("r1", 0, "candidate")]);
    let plan = plan(production(""), |live| live["trafficStatuses"] = waiting);
    assert_eq!(
        plan.action,
        Action::Resume {
            revision: "r1".to_owned()
        }
    );
    assert!(
        !plan.warnings.iter().any(|w| w.contains("by hand")),
        "{:?}",
        plan.warnings
    );
}

#[test]
fn traffic_that_was_moved_by_hand_stays_until_there_is_something_new_to_deploy() {
    let by_hand = statuses(&[("r0", 70, ""), ("r1", 30, "mine")]);
    let same = plan(production(""), |live| live["trafficStatuses"] = by_hand.clone());
    assert_eq!(
        same.action,
        Action::Pinned {
            newest: "r1".to_owned(),
            shares: "r0 gets 70 %, r1 gets 30 %".to_owned()
        }
    );
    let changed = plan(production(""), |live| {
        live["trafficStatuses"] = by_hand.clone();
        live["template"]["timeout"] = json!("300s");
    });
    let told = changed.warnings.join(" ");
    assert!(told.contains("r0 gets 70 %, r1 gets 30 %"), "{told}");
    let preview = plan(preview(""), |live| live["trafficStatuses"] = by_hand);
    assert!(
        matches!(
            preview.action,
            Action::Update {
                new_revision: true,
                ..
            }
        ),
        "{:?}",
        preview.action
    );
    assert_eq!(preview.traffic("x").len(), 1);
}

#[test]
fn a_service_without_our_label_or_of_another_repository_is_refused() {
    for (label, value, part) in [
        ("managed-by", json!("terraform"), "somebody else"),
        ("llm-deploy-repository", json!("octo_other"), "`octo_other`"),
    ] {
        let first = make(production(""), facts(None)).unwrap();
        let mut live = read_back(&first.desired("sha256:1"));
        live["labels"][label] = value;
        let refusal = make(production(""), facts(Some(serde_json::from_value(live).unwrap()))).unwrap_err();
        assert!(refusal.to_string().contains(part), "{refusal}");
    }
}

#[test]
fn labels_that_others_gave_the_service_stay() {
    let plan = plan(production(""), |live| {
        live["labels"]["llm-deploy-commit"] = json!("older");
    });
    let labels = plan.desired("sha256:2").labels;
    assert_eq!(labels["team"], "search");
    assert_eq!(labels[label::COMMIT], "c0ffee");
}

#[test]
fn a_previews_life_is_prolonged_only_when_less_than_half_of_it_is_left() {
    let expires = |hours: i64| {
        let at = 1_800_000_000 + hours * 3600;
        plan(preview(""), |live| {
            live["labels"]["llm-deploy-expires"] = json!(at.to_string());
        })
        .action
    };
    assert_eq!(expires(37), Action::Nothing);
    assert_eq!(expires(2_000_000_000), Action::Nothing, "the year 230000");
    assert_eq!(
        expires(35),
        Action::Update {
            changes: Vec::new(),
            new_revision: false
        }
    );
}

#[test]
fn a_preview_expires_when_its_label_says_not_when_the_run_would_like() {
    let first = make(preview(""), facts(None)).unwrap();
    let live = serde_json::from_value(read_back(&first.desired("sha256:1"))).unwrap();
    let mut later = preview("");
    let Stage::Preview { expires_at, .. } = &mut later.stage else {
        panic!("a preview")
    };
    *expires_at += Duration::from_secs(3600);
    let unchanged = make(later, facts(Some(live))).unwrap();
    assert_eq!(unchanged.action, Action::Nothing);
    assert_eq!(unchanged.expires_at(), first.expires_at());
    assert_eq!(first.expires_at().map(|at| at.timestamp()), Some(1_800_259_200));
    assert_eq!(make(production(""), facts(None)).unwrap().expires_at(), None);
}

#[test]
fn the_price_of_what_always_runs_is_told() {
    let text = |settings| show::text(&make(production(settings), facts(None)).unwrap());
    assert!(
        text("").contains("$1.42 per hour of a running instance (list price); nothing while scaled to zero")
    );
    let always = text("service: { min-instances: 2, max-instances: 2 }");
    assert!(always.contains("2 always run: $2.84 per hour"), "{always}");
    assert!(!always.contains("scaled to zero"), "{always}");
}

#[test]
fn an_image_that_is_yet_to_be_built_is_a_new_revision() {
    let first = make(production(""), facts(None)).unwrap();
    let live = serde_json::from_value(read_back(&first.desired("sha256:1"))).unwrap();
    let unbuilt = Facts {
        image_digest: None,
        ..facts(Some(live))
    };
    let plan = make(production(""), unbuilt).unwrap();
    assert!(plan.needs_build());
    assert_eq!(
        plan.steps(),
        ["build the image", "make a new revision of qwen3-5-4b"]
    );
}

#[test]
fn weights_beyond_the_gpu_are_refused() {
    let large = Facts {
        weights_bytes: 60 << 30,
        ..facts(None)
    };
    let refusal = make(production(""), large).unwrap_err();
    assert!(refusal.to_string().contains("nvidia-rtx-pro-6000"), "{refusal}");
}

#[test]
fn the_longest_names_make_revision_names_that_cloud_run_takes() {
    let name = "a".repeat(37);
    let mut target = preview("");
    target.service = format!("{name}-pr-1234567");
    let plan = plan(target, |live| live["generation"] = json!("99999998"));
    let revision = plan.next_revision(&plan.desired("sha256:2")).unwrap();
    assert!(
        revision.len() <= 63 && revision.starts_with(&plan.target.service),
        "{revision}"
    );
    let again = plan.next_revision(&plan.desired("sha256:2")).unwrap();
    assert_eq!(revision, again, "a killed run asks for the same name again");
    assert_ne!(revision, plan.next_revision(&plan.desired("sha256:3")).unwrap());
}

#[test]
fn production_keeps_its_traffic_until_the_candidate_is_tested() {
    let served = plan(production(""), |_| ()).traffic("r2");
    let shown = |t: &TrafficTarget| (t.revision.clone().unwrap(), t.percent.unwrap_or(0), t.tag.clone());
    assert_eq!(
        served.iter().map(shown).collect::<Vec<_>>(),
        [
            ("r1".to_owned(), 100, None),
            ("r2".to_owned(), 0, Some("candidate".to_owned()))
        ]
    );
    // The first revision never started: nothing serves that could keep the traffic.
    let never = plan(production(""), |live| {
        live["trafficStatuses"] = json!([]);
        live.as_object_mut().unwrap().remove("latestReadyRevision");
    });
    let first = never.traffic("r2");
    assert_eq!(
        first.iter().map(shown).collect::<Vec<_>>(),
        [("r2".to_owned(), 100, None)]
    );
}

#[test]
fn labels_are_within_cloud_runs_rules_whatever_the_names() {
    let long = format!("{}/{}", "Ö".repeat(39), "x.Y_z".repeat(20));
    for odd in [
        "",
        "/",
        "Octo/App",
        "İ/ẞ",
        "a b\n\"c\"/☃",
        "refs/heads/main",
        &long,
        &"f".repeat(64),
    ] {
        let mut target = preview("");
        (target.repository, target.commit) = (odd.to_owned(), odd.to_owned());
        for (key, value) in target.labels() {
            assert!(!value.is_empty() && value.len() <= 63, "{key}: {value}");
            let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
            assert!(value.chars().all(fine), "{key}: {value}");
        }
    }
}
