//! The paths that a module writes, before they are resolved.
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ItemMod, ItemUse, Macro, MetaList, Path, UseTree, Visibility};

use super::source::Module;

/// A path as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The module it stands in.
    pub module: Vec<String>,
    /// Its names; a glob ends with `*`.
    pub names: Vec<String>,
    /// Whether it begins with `::`, which means a crate.
    pub is_extern: bool,
    pub file: String,
    pub line: usize,
}

/// A name that a `use` brings into a module.
pub struct Import {
    /// `*` for a glob.
    pub name: String,
    pub path: Written,
}

/// What the modules of one file declare and write.
#[derive(Default)]
pub struct Uses {
    /// Every module that is declared, by its path.
    pub modules: Vec<Vec<String>>,
    pub imports: Vec<Import>,
    pub paths: Vec<Written>,
    file: String,
    module: Vec<String>,
}

impl Uses {
    pub fn of(module: &Module) -> Self {
        let mut uses = Self { file: module.file.clone(), module: module.path.clone(), ..Self::default() };
        uses.modules.push(module.path.clone());
        uses.visit_file(&module.code);
        uses
    }

    fn write(&mut self, names: Vec<String>, is_extern: bool, line: usize) -> Written {
        let (module, file) = (self.module.clone(), self.file.clone());
        let path = Written { module, names, is_extern, file, line };
        self.paths.push(path.clone());
        path
    }

    fn import(&mut self, tree: &UseTree, before: &[String], is_extern: bool, line: usize) {
        let with = |name: String| [before, &[name]].concat();
        let (name, names) = match tree {
            UseTree::Path(path) => {
                return self.import(&path.tree, &with(path.ident.to_string()), is_extern, line);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(tree, before, is_extern, line));
            }
            UseTree::Name(name) if name.ident == "self" => {
                (before.last().cloned().unwrap_or_default(), before.to_vec())
            }
            UseTree::Name(name) => (name.ident.to_string(), with(name.ident.to_string())),
            UseTree::Rename(rename) if rename.ident == "self" => (rename.rename.to_string(), before.to_vec()),
            UseTree::Rename(rename) => (rename.rename.to_string(), with(rename.ident.to_string())),
            UseTree::Glob(_) => ("*".to_owned(), with("*".to_owned())),
        };
        let path = self.write(names, is_extern, line);
        self.imports.push(Import { name, path });
    }

    /// Finds the paths in a macro's tokens, which have no syntax tree: names with `::` between them. `before` is the
    /// path in front of the braces of a `use`.
    fn search(&mut self, tokens: &TokenStream, before: &[String]) {
        let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.search(&group.stream(), &[]),
                // The new name in `… as name`.
                TokenTree::Ident(_) if !before.is_empty() && at > 0 && !is_comma(&tokens[at - 1]) => {}
                TokenTree::Ident(first) => {
                    let line = first.span().start().line;
                    let is_extern = before.is_empty() && is_colons(&tokens[..at]);
                    let mut names = before.to_vec();
                    if before.is_empty() || first != "self" {
                        names.push(first.to_string());
                    }
                    while is_colons(&tokens[..tokens.len().min(at + 3)]) {
                        match tokens.get(at + 3) {
                            Some(TokenTree::Ident(next)) => names.push(next.to_string()),
                            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                                self.search(&group.stream(), &names);
                            }
                            Some(TokenTree::Punct(glob)) if glob.as_char() == '*' => {
                                names.push("*".to_owned());
                            }
                            _ => break,
                        }
                        at += 3;
                    }
                    if names.len() > 1 {
                        self.write(names, is_extern, line);
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}

/// Whether tokens end with `::`.
fn is_colons(tokens: &[TokenTree]) -> bool {
    let colon = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':');
    matches!(tokens, [.., TokenTree::Punct(first), second] if colon(second)
        && first.as_char() == ':' && first.spacing() == proc_macro2::Spacing::Joint)
}

impl<'ast> Visit<'ast> for Uses {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        self.module.push(module.ident.to_string());
        self.modules.push(self.module.clone());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let line = item.use_token.span.start().line;
        self.import(&item.tree, &[], item.leading_colon.is_some(), line);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let line = path.segments.first().map_or(0, |segment| segment.ident.span().start().line);
        self.write(names, path.leading_colon.is_some(), line);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.search(&call.tokens, &[]);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if !attribute.path().is_ident("doc") {
            visit::visit_attribute(self, attribute);
        }
    }

    /// Derives and attributes; serde takes paths in strings.
    fn visit_meta_list(&mut self, list: &'ast MetaList) {
        self.search(&list.tokens, &[]);
        for token in list.tokens.clone() {
            let line = token.span().start().line;
            if let TokenTree::Literal(literal) = token
                && let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string())
                && let Ok(path) = text.parse::<Path>()
                && path.segments.len() > 1
            {
                let names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
                self.write(names, path.leading_colon.is_some(), line);
            }
        }
    }

    /// The path in `pub(super)` is not a use.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}
