//! The modules of a crate as rustc finds them, without tests.
use std::collections::BTreeMap;
use std::path::Path;

use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, File, ImplItem, Item, ItemMod, Meta, Stmt, Token, TraitItem};

/// A module that is a file.
pub struct Module {
    /// The names from the crate's root to this module.
    pub path: Vec<String>,
    /// The file, below `src`.
    pub file: String,
    pub code: File,
}

/// The text of every Rust file below a folder, by its path in it.
pub fn texts(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(texts(&path).into_iter().map(|(below, text)| (format!("{name}/{below}"), text)));
        } else if name.ends_with(".rs") {
            found.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// The modules that `lib.rs` declares, and those that they declare. Items that exist in tests only are left out.
pub fn modules(texts: &BTreeMap<String, String>) -> Vec<Module> {
    let mut found = Vec::new();
    let mut declared = vec![(Vec::new(), "lib.rs".to_owned())];
    while let Some((path, file)) = declared.pop() {
        let text = texts.get(&file).unwrap_or_else(|| panic!("there is no {file}"));
        let mut code = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        code.items = code.items.into_iter().flat_map(tools).collect();
        WithoutTests.visit_file_mut(&mut code);
        for child in files(&path, &code.items) {
            let name = child.join("/");
            let file = [format!("{name}.rs"), format!("{name}/mod.rs")]
                .into_iter()
                .find(|file| texts.contains_key(file))
                .unwrap_or_else(|| panic!("{file} declares {name}, which is no file"));
            declared.push((child, file));
        }
        found.push(Module { path, file, code });
    }
    found
}

/// The modules that an item declares: a call of `tools!` declares the file of each tool that it names.
fn tools(item: Item) -> Vec<Item> {
    let Item::Macro(call) = &item else { return vec![item] };
    if !call.mac.path.is_ident("tools") {
        return vec![item];
    }
    let named = call.mac.parse_body_with(Punctuated::<syn::Path, Token![,]>::parse_terminated).unwrap();
    let files = named.iter().map(|path| path.segments.first().unwrap().ident.clone());
    files.map(|file| syn::parse_str(&format!("mod {file};")).unwrap()).collect()
}

/// The modules below `path` that are files of their own.
fn files(path: &[String], items: &[Item]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for item in items {
        if let Item::Mod(ItemMod { ident, content, .. }) = item {
            let child = [path, &[ident.to_string()]].concat();
            match content {
                None => found.push(child),
                Some((_, items)) => found.extend(files(&child, items)),
            }
        }
    }
    found
}

/// Removes code under `#[cfg(test)]` and `#[test]`, which is not in the program.
struct WithoutTests;

impl VisitMut for WithoutTests {
    fn visit_file_mut(&mut self, file: &mut File) {
        file.items.retain(|item| !is_test(item_attributes(item)));
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| !is_test(item_attributes(item)));
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, block: &mut syn::ItemImpl) {
        block.items.retain(|item| {
            !is_test(match item {
                ImplItem::Const(item) => &item.attrs,
                ImplItem::Fn(item) => &item.attrs,
                ImplItem::Type(item) => &item.attrs,
                ImplItem::Macro(item) => &item.attrs,
                _ => &[],
            })
        });
        visit_mut::visit_item_impl_mut(self, block);
    }

    fn visit_item_trait_mut(&mut self, block: &mut syn::ItemTrait) {
        block.items.retain(|item| {
            !is_test(match item {
                TraitItem::Const(item) => &item.attrs,
                TraitItem::Fn(item) => &item.attrs,
                TraitItem::Type(item) => &item.attrs,
                TraitItem::Macro(item) => &item.attrs,
                _ => &[],
            })
        });
        visit_mut::visit_item_trait_mut(self, block);
    }

    fn visit_block_mut(&mut self, block: &mut syn::Block) {
        block.stmts.retain(|statement| {
            !is_test(match statement {
                Stmt::Local(local) => &local.attrs,
                Stmt::Item(item) => item_attributes(item),
                Stmt::Macro(call) => &call.attrs,
                Stmt::Expr(..) => &[],
            })
        });
        visit_mut::visit_block_mut(self, block);
    }

    fn visit_fields_named_mut(&mut self, fields: &mut syn::FieldsNamed) {
        keep(&mut fields.named, |field| &field.attrs);
        visit_mut::visit_fields_named_mut(self, fields);
    }

    fn visit_item_enum_mut(&mut self, item: &mut syn::ItemEnum) {
        keep(&mut item.variants, |variant| &variant.attrs);
        visit_mut::visit_item_enum_mut(self, item);
    }

    fn visit_expr_struct_mut(&mut self, value: &mut syn::ExprStruct) {
        keep(&mut value.fields, |field| &field.attrs);
        visit_mut::visit_expr_struct_mut(self, value);
    }

    fn visit_expr_match_mut(&mut self, expression: &mut syn::ExprMatch) {
        expression.arms.retain(|arm| !is_test(&arm.attrs));
        visit_mut::visit_expr_match_mut(self, expression);
    }
}

fn keep<T>(all: &mut Punctuated<T, Token![,]>, attributes: fn(&T) -> &[Attribute]) {
    *all = std::mem::take(all).into_iter().filter(|one| !is_test(attributes(one))).collect();
}

fn item_attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        path.segments.last().is_some_and(|segment| segment.ident == "test")
            || (path.is_ident("cfg") && attribute.parse_args::<Meta>().is_ok_and(|meta| needs_test(&meta)))
    })
}

/// Whether a condition holds in tests only.
fn needs_test(condition: &Meta) -> bool {
    let Meta::List(list) = condition else { return condition.path().is_ident("test") };
    let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).unwrap_or_default();
    if list.path.is_ident("all") {
        parts.iter().any(needs_test)
    } else {
        list.path.is_ident("any") && !parts.is_empty() && parts.iter().all(needs_test)
    }
}
