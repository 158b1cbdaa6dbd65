_final: prev: {
  # imgproxy 3.27 renders the shop's SVG labels wrongly.
  imgproxy = prev.imgproxy.overrideAttrs (old: rec {
    version = "3.26.1";
    src = old.src.override {
      rev = "v${version}";
      hash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    };
  });
}
