// SPDX-License-Identifier: Apache-2.0
#include "render/files.h"

namespace espial {
namespace {

// One instance on every node, whatever their number is.
constexpr std::string_view kEverywhere =
    "[DEFAULT]\n"
    "nodes = {clusternodes}\n"
    "topology = flex\n"
    "flex_min = {#nodes}\n"
    "orchestrate = ha\n";

std::string names_of(const MeshNodes& mesh) {
  std::string out;
  for (const auto& node : mesh.nodes) out.append(out.empty() ? "" : " ").append(node.name);
  return out;
}

}  // namespace

std::string render_strongswan_conf() {
  return "# strongswan.conf of every node\n\n"
         "charon {\n"
         "  # A peer that does not answer is given up after 45 s, not after 165.\n"
         "  retransmit_timeout = 2.0\n"
         "  retransmit_tries = 4\n"
         "  start-scripts {\n"
         "    load = swanctl --load-all\n"
         "  }\n"
         "}\n";
}

std::string render_strongswan_service(MeshAuth auth) {
  const bool certificates = auth == MeshAuth::kCertificate;
  std::string out = "# om system/svc/strongswan deploy --config osvc.strongswan.conf\n\n";
  out += kEverywhere;
  out +=
      "\n"
      "# In memory: keys and secrets touch no disk.\n"
      "[volume#1]\n"
      "name = {name}\n"
      "type = shm\n"
      "size = 1m\n"
      "access = rwx\n"
      "secrets =\n"
      "  {name}/strongswan:/etc/strongswan.conf\n"
      "  {name}/swanctl.{nodename}:/etc/swanctl/swanctl.conf\n";
  if (certificates)
    out +=
        "  {name}/cert.{nodename}:/etc/swanctl/x509/{nodename}.pem\n"
        "  {name}/private.{nodename}:/etc/swanctl/private/{nodename}.pem\n"
        "  {name}/mesh-ca:/etc/swanctl/x509ca/mesh-ca.pem\n";
  out +=
      "\n"
      "[container#swanctl]\n"
      "type = oci\n"
      "image = mberner/strongswan:5.9.11\n"
      "rm = true\n"
      "detach = true\n"
      "privileged = true\n"
      "netns = host\n"
      "volume_mounts =\n"
      "  {volume#1.name}/etc/strongswan.conf:/etc/strongswan.conf:ro\n"
      "  {volume#1.name}/etc/swanctl/swanctl.conf:/etc/swanctl/swanctl.conf:ro\n";
  if (certificates)
    out +=
        "  {volume#1.name}/etc/swanctl/x509:/etc/swanctl/x509:ro\n"
        "  {volume#1.name}/etc/swanctl/private:/etc/swanctl/private:ro\n"
        "  {volume#1.name}/etc/swanctl/x509ca:/etc/swanctl/x509ca:ro\n";
  return out + "restart = 3\nrestart_delay = 5s\n";
}

std::string render_espial_service() {
  std::string out =
      "# om system/svc/espial deploy --config osvc.espial.conf\n"
      "# espial is installed on every node (its package, or cmake --install); the container "
      "brings\n"
      "# nothing of its own, so its image may be any. Stop espial.service where this one runs.\n\n";
  out += kEverywhere;
  out +=
      "\n"
      "[container#espial]\n"
      "type = oci\n"
      "rm = true\n"
      "detach = true\n"
      "privileged = true\n"
      "netns = host\n"
      "utsns = host\n"
      "read_only = true\n"
      "entrypoint = espial\n"
      "command = run\n"
      "volume_mounts =\n"
      "  /usr:/usr:ro\n"
      "  /usr/lib:/lib:ro\n"
      "  /usr/lib64:/lib64:ro\n"
      "  /etc/espial:/etc/espial:ro\n"
      "  /sys/fs/bpf:/sys/fs/bpf:rw\n"
      "  /var/lib/espial:/var/lib/espial:rw\n"
      "restart = 3\n"
      "restart_delay = 5s\n";
  return out;
}

std::string render_psk_script(const MeshNodes& mesh) {
  return "# psk.sh OUT [SECRETS]   writes each swanctl.NODE.conf to the folder OUT with the "
         "secrets of\n"
         "# SECRETS (default: psk beside this script) in place, one file per pair: NODE+NODE. A "
         "secret\n"
         "# that is missing is made of 32 random bytes. Keep SECRETS private. Nothing secret is "
         "printed.\n"
         "set -eu\n"
         "umask 077\n"
         "[ $# -ge 1 ] || { echo \"usage: psk.sh OUT [SECRETS]\" >&2; exit 2; }\n"
         "here=$(cd \"$(dirname \"$0\")\" && pwd)\n"
         "out=$1 secrets=${2:-$here/psk}\n"
         "mkdir -p \"$out\" \"$secrets\"\n"
         "work=$(mktemp -d)\n"
         "trap 'rm -rf \"$work\"' EXIT\n"
         "for node in " +
         names_of(mesh) +
         "; do\n"
         "  sed -n 's/.*# @PSK:\\([^@]*\\)@.*/\\1/p' \"$here/swanctl.$node.conf\" "
         ">\"$work/pairs\"\n"
         "  # sed reads its commands from a file: others can see a command line.\n"
         "  while read -r pair; do\n"
         "    if [ ! -s \"$secrets/$pair\" ]; then\n"
         "      { printf 0s; head -c 32 /dev/urandom | base64 -w0; } >\"$secrets/.new\"\n"
         "      mv \"$secrets/.new\" \"$secrets/$pair\"\n"
         "      echo \"psk.sh: made a secret for $pair\" >&2\n"
         "    fi\n"
         "    secret=$(cat \"$secrets/$pair\")\n"
         "    case $secret in *[!A-Za-z0-9+/=._-]*)\n"
         "      echo \"psk.sh: $secrets/$pair: only letters, digits and + / = . _ - (write others "
         "as\" \\\n"
         "        \"0s and their base64)\" >&2\n"
         "      exit 1 ;;\n"
         "    esac\n"
         "    printf 's|# @PSK:%s@|\"%s\"|\\n' \"$pair\" \"$secret\"\n"
         "  done <\"$work/pairs\" >\"$work/commands\"\n"
         "  sed -f \"$work/commands\" \"$here/swanctl.$node.conf\" >\"$out/swanctl.$node.conf\"\n"
         "done\n";
}

std::string render_store_script(const MeshNodes& mesh, MeshAuth auth) {
  std::string out =
      "# opensvc-store.sh   stores the configuration of all nodes in OpenSVC's secret store\n"
      "# system/sec/strongswan; run it again after every change. Then, once:\n"
      "#   om system/svc/strongswan deploy --config osvc.strongswan.conf\n"
      "#   om system/svc/espial deploy --config osvc.espial.conf\n"
      "set -eu\n"
      "umask 077\n"
      "cd \"$(dirname \"$0\")\"\n";
  if (auth == MeshAuth::kPsk)
    out +=
        "ready=$(mktemp -d)\n"
        "trap 'rm -rf \"$ready\"' EXIT\n"
        "./psk.sh \"$ready\"\n";
  else
    out +=
        "# Certificates are not made here: x509/NODE.pem and private/NODE.pem for every node, "
        "whose\n"
        "# subjectAltName is the node's name, and x509ca/mesh-ca.pem, which signed them.\n"
        "ready=.\n";
  out +=
      "# add refuses a key that exists, change one that does not.\n"
      "store() {\n"
      "  om system/sec/strongswan add --key \"$1\" --from \"$2\" 2>/dev/null ||\n"
      "    om system/sec/strongswan change --key \"$1\" --from \"$2\"\n"
      "}\n"
      "om system/sec/strongswan create 2>/dev/null || :  # it exists\n"
      "store strongswan strongswan.conf\n"
      "for node in " +
      names_of(mesh) +
      "; do\n"
      "  store \"swanctl.$node\" \"$ready/swanctl.$node.conf\"\n";
  if (auth == MeshAuth::kCertificate)
    out +=
        "  store \"cert.$node\" \"x509/$node.pem\"\n"
        "  store \"private.$node\" \"private/$node.pem\"\n";
  out += "done\n";
  if (auth == MeshAuth::kCertificate) out += "store mesh-ca x509ca/mesh-ca.pem\n";
  return out;
}

}  // namespace espial
