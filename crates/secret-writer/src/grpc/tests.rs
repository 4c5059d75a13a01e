use super::*;
use crate::fixtures::SecretBuilder;

fn store() -> Store {
    let store = crate::fixtures::store();
    store.begin_snapshot();
    ["a", "b", "c"].iter().for_each(|name| store.upsert(SecretBuilder::new(name).seen(1)));
    store.complete_snapshot();
    store
}

fn page(request: ListAccessSecretsRequest) -> ListAccessSecretsResponse {
    Page::try_from(request).unwrap().of(&store())
}

#[test]
fn pages_lead_to_each_other_until_the_end() {
    let first = page(ListAccessSecretsRequest { page_size: 2, ..Default::default() });
    assert_eq!(first.records.len(), 2);
    assert_eq!(first.next_page_token, "shoot--lab--1/b");
    let page_token = first.next_page_token;
    let last = page(ListAccessSecretsRequest { page_size: 2, page_token, ..Default::default() });
    assert_eq!(last.records[0].name, "c");
    assert_eq!((last.records.len(), last.next_page_token.as_str()), (1, ""));
}

#[test]
fn a_page_that_ends_with_the_set_has_no_next_one() {
    let all = page(ListAccessSecretsRequest { page_size: 3, ..Default::default() });
    assert_eq!((all.records.len(), all.next_page_token.as_str()), (3, ""));
    let other = ListAccessSecretsRequest { namespace: "other".to_owned(), ..Default::default() };
    assert!(page(other).records.is_empty());
}

#[test]
fn a_page_token_of_somebody_else_is_refused() {
    let request = ListAccessSecretsRequest { page_token: "17".to_owned(), ..Default::default() };
    assert_eq!(Page::try_from(request).unwrap_err().field, "page_token");
}
