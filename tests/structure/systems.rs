//! Code that requires one operating system, or relies on it.
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, LitStr, Macro};

use super::source::Module;

/// The places of a module that name a target (`cfg(target_os = "linux")`) or read Linux's `/proc`.
pub fn named(module: &Module) -> Vec<String> {
    let mut search = Search { file: &module.file, found: Vec::new() };
    search.visit_file(&module.code);
    search.found
}

struct Search<'a> {
    file: &'a str,
    found: Vec<String>,
}

impl Search<'_> {
    fn find(&mut self, what: &str, line: usize) {
        self.found.push(format!("src/{}:{line} has {what}", self.file));
    }

    fn condition(&mut self, tokens: &TokenStream) {
        for token in tokens.clone() {
            match token {
                TokenTree::Ident(name) if name.to_string().starts_with("target_") => {
                    self.find(&name.to_string(), name.span().start().line);
                }
                TokenTree::Group(group) => self.condition(&group.stream()),
                _ => {}
            }
        }
    }

    fn strings(&mut self, tokens: &TokenStream) {
        for token in tokens.clone() {
            match token {
                TokenTree::Literal(literal) => {
                    if let Ok(text) = syn::parse_str::<LitStr>(&literal.to_string()) {
                        self.string(&text.value(), literal.span().start().line);
                    }
                }
                TokenTree::Group(group) => self.strings(&group.stream()),
                _ => {}
            }
        }
    }

    fn string(&mut self, text: &str, line: usize) {
        if text.starts_with("/proc/") {
            self.find(text, line);
        }
    }
}

impl<'ast> Visit<'ast> for Search<'_> {
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let syn::Meta::List(list) = &attribute.meta
            && (list.path.is_ident("cfg") || list.path.is_ident("cfg_attr"))
        {
            self.condition(&list.tokens);
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        if call.path.is_ident("cfg") {
            self.condition(&call.tokens);
        }
        self.strings(&call.tokens);
        visit::visit_macro(self, call);
    }

    fn visit_lit_str(&mut self, text: &'ast LitStr) {
        self.string(&text.value(), text.span().start().line);
    }
}
