final: _prev: {
  # Uploads a release of the shop and restarts it.
  shop-release = final.writeShellApplication {
    name = "shop-release";
    runtimeInputs = [
      final.openssh
      final.rsync
    ];
    text = ''
      host=$1
      rsync --archive --delete result/ "deploy@$host:/srv/shop/"
      ssh "deploy@$host" sudo systemctl restart shop.service
    '';
  };
}
