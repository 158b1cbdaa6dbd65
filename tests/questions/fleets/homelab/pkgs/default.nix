final: prev: {
  paperless-inbox = final.callPackage ./paperless-inbox.nix { };
  media-report = final.callPackage ./media-report.nix { };

  # The television's client does not know the interface of newer versions.
  navidrome = prev.navidrome.overrideAttrs (_old: {
    version = "0.58.5";
  });
}
